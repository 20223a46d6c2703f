#!/usr/bin/env bash
# Web servers in front restart, then reload, in mid-call: no byte of signalling is lost, the call goes on; prints the gaps.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
CALL_SECONDS=14
programs="nginx haproxy apache nghttpx"
credentials_make
services=()
for program in $programs; do
	launch_fed load-$program "$TOOLS/rtpload" --dest - --sink 127.0.0.1:0 --for $CALL_SECONDS --warmup 0.5 --drain 1.5 --quiet
	services+=(--service "$program=udp://$(ready load-$program udp sink)")
done
launch tcp-echo $PYTHON "$TOP/tests/tools/signalling.py" serve
SERVER_CLEAR=1 server_start culvertd "${services[@]}" --service "sig=tcp://$(ready tcp-echo tcp echo)"

status() { # PROGRAM
	"$CULVERT" status --json --control "$W/$1.control" >"$W/$1.json" 2>"$W/$1.said"
}

settled() { # PROGRAM: on its best rung
	local rung=duplex
	[ "$1" != apache ] || rung=websocket
	status "$1" && [ "$(json "$W/$1.json" path.rung)" = $rung ]
}

for program in $programs; do
	proxy_start $program $program-front "$SERVER_CLEAR_PORT"
	helper_start "helper-$program" --server "https://localhost:${PROXY_PORT[$program]}" --cafile "${PROXY_CA[$program]}" --control "$W/$program.control" \
		-L "udp://127.0.0.1:0=$program" -L tcp://127.0.0.1:0=sig
done
for program in $programs; do
	await 25 settled $program || fail "$program: still $(json "$W/$program.json" path.rung)"
	tell "load-$program" "$(helper_udp "helper-$program" "$program") call"
	launch "sig-$program" $PYTHON "$TOP/tests/tools/signalling.py" check "$(helper_tcp "helper-$program" sig)" --bytes $((20000 * CALL_SECONDS)) \
		--seconds $CALL_SECONDS --timeout 20
done
sleep 3
for program in $programs; do
	proxy_stop $program
	PROXY_AT=${PROXY_PORT[$program]} proxy_start $program $program-front "$SERVER_CLEAR_PORT"
done
sleep 4
workers() { # PROGRAM: of its configuration now; those before may go on until their exchanges are over
	cat "/proc/${PID[$1]}/task/${PID[$1]}/children"
}
others_work() { # PROGRAM: than at its start
	[ "$(workers "$1")" != "$(cat "$W/$1.workers")" ]
}
for program in $programs; do
	workers $program >"$W/$program.workers"
	front_reload $program
done
for program in $programs; do
	await 5 others_work $program || fail "$program did not reload"
	running $program || fail "$program ended when it was to reload"
done
for program in $programs; do
	finish "sig-$program" 40 || fail "$program: signalling: $(cat "$W/sig-$program.out")"
	[ "$(json "$W/sig-$program.out" intact)" = True ] || fail "$program: signalling is not intact"
	told "load-$program" call 40 >"$W/$program.call" || fail "$program: no result of the call"
	status $program || fail "$program: $(cat "$W/$program.said")"
	note "$(printf '%-8s %-10s lost %d up, %d down; longest gap %d ms up, %d ms down' $program "$(json "$W/$program.json" path.rung)" \
		"$(json "$W/$program.call" up.lost)" "$(json "$W/$program.call" down.lost)" "$(json "$W/$program.call" up.gap_ms | cut -d. -f1)" \
		"$(json "$W/$program.call" down.gap_ms | cut -d. -f1)")"
	most=3000
	[ $program != apache ] || most=8000 # it takes connections and does nothing with them while it stops, for up to 5 s
	for way in up down; do
		check "$(json "$W/$program.call" $way.gap_ms)" "<=" $most "$program: ms without a packet $way"
		check "$(json "$W/$program.call" $way.duplicate)" "==" 0 "$program: duplicate packets $way"
	done
	stop_expecting "helper-$program" 0
done
