#!/usr/bin/env bash
# Proxies that cut every 10 s, after 1 MB, after 5 s of silence: no signalling byte is lost; after the first cut no gap above a round trip + 50 ms.
# seconds: 120
# alone: it measures time
. "$(dirname "$0")/e2e.sh"
credentials_make
KINDS="age bytes idle"
launch tcp-echo $PYTHON "$TOP/tests/tools/signalling.py" serve
TCP_TARGET=$(ready tcp-echo tcp echo) || fail "no TCP echo"
services=(--service "sig=tcp://$TCP_TARGET")
declare -A SINK=()
for kind in $KINDS control; do
	launch_fed load-$kind "$TOOLS/rtpload" --dest - --sink 127.0.0.1:0 --warmup 0.3 --drain 1 --quiet
	SINK[$kind]=$(ready load-$kind udp sink) || fail "rtpload did not start"
	services+=(--service "$kind=udp://${SINK[$kind]}")
done
server_start culvertd "${services[@]}"
learned() { # KIND: has the helper learned the cut of its proxy? Leaves its status.
	"$CULVERT" status --json --control "$W/$1.sock" >"$W/$1.status" && [ "$(json "$W/$1.status" path.cuts.count)" -ge 1 ]
}
declare -A UDP=() SIG=()
for kind in $KINDS; do
	proxy_start cut-$kind nasty-cut-$kind "" "$W/server.crt"
	helper_start $kind --proxy "http://127.0.0.1:${PROXY_PORT[cut-$kind]}" --control "$W/$kind.sock" -L udp://127.0.0.1:0=$kind -L tcp://127.0.0.1:0=sig
	UDP[$kind]=$(helper_udp $kind $kind) SIG[$kind]=$(helper_tcp $kind sig)
done
# Signalling all the time; of the two that are to be cut by age and bytes there is a call, too. The third keeps silent.
launch sig-age $PYTHON "$TOP/tests/tools/signalling.py" check "${SIG[age]}" --bytes 500000 --seconds 45 --timeout 30
launch sig-bytes $PYTHON "$TOP/tests/tools/signalling.py" check "${SIG[bytes]}" --bytes 4000000 --seconds 45 --timeout 30
launch sig-idle $PYTHON "$TOP/tests/tools/signalling.py" check "${SIG[idle]}" --bytes 17000 --seconds 45 --timeout 60
tell load-age "${UDP[age]} learning for=13"
tell load-bytes "${UDP[bytes]} learning for=13"
told load-age learning 30 >"$W/age.learning" && told load-bytes learning 30 >"$W/bytes.learning" || fail "no result of a call"
for kind in $KINDS; do
	await 12 learned $kind || fail "$kind: no cut was learned; the proxy made $(nasty_events cut-$kind cut)"
	note "$kind: learned $($PYTHON -c 'import json, sys; print(json.load(open(sys.argv[1]))["path"]["cuts"])' "$W/$kind.status")"
	proxy_mark cut-$kind
done
for kind in age bytes; do
	tell load-$kind "${UDP[$kind]} measured for=25"
done
tell load-control "${SINK[control]} measured for=25" # straight to itself: what this machine does to packets is allowed for, up to 100 ms
for kind in age bytes control; do
	told load-$kind measured 50 >"$W/$kind.measured" || fail "$kind: no result of the call"
done
noise=$(awk -v u="$(json "$W/control.measured" up.gap_ms)" -v d="$(json "$W/control.measured" down.gap_ms)" 'BEGIN { n = (u > d ? u : d) - 20; print (n > 100 ? 100 : n) }')
for kind in age bytes; do
	learned $kind
	rtt=$(json "$W/$kind.status" session.rtt_ms)
	for way in up down; do
		gap=$(json "$W/$kind.measured" $way.gap_ms)
		note "$kind: longest gap $way $gap ms (round trip $rtt ms, this machine's own $noise ms), lost $(json "$W/$kind.measured" $way.lost); before: $(json "$W/$kind.learning" $way.gap_ms) ms"
		check "$gap" "<=" "$(awk -v r="$rtt" -v n="$noise" 'BEGIN { print r + 50 + n }')" "$kind: ms without a packet $way"
		check "$(json "$W/$kind.measured" $way.lost)" "==" 0 "$kind: packets lost $way"
	done
done
for kind in $KINDS; do
	finish sig-$kind 40 || fail "$kind: signalling: $(cat "$W/sig-$kind.out")"
	[ "$(json "$W/sig-$kind.out" intact)" = True ] || fail "$kind: signalling is not intact"
	note "$kind: $(nasty_events cut-$kind cut) more connections were cut after the first was learned"
done
check "$(nasty_events cut-idle cut)" "==" 0 "idle connections that were cut after it had been learned"
tell load-idle "${UDP[idle]} call for=3" # and the session is there when a call comes
told load-idle call 20 >"$W/idle.call" || fail "idle: no result of the call"
check "$(json "$W/idle.call" up.lost)" "==" 0 "idle: packets lost of the call after the silence"
for kind in $KINDS; do
	stop_expecting $kind 0
done
