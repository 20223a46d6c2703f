#!/usr/bin/env bash
# make demo: a real Opus call both ways and TCP signalling, through five real proxies, on the rung that Culvert chooses by itself
# and on each that can pass them; a call with nginx in front of the server; a call over a link that loses packets; and what `culvert doctor`
# says of one of the proxies.
# Traffic stays on loopback; everything that was started is ended; logs are kept where the last line says.
set -u
. "$(dirname "$0")/../lib/harness.sh"
. "$TOP/tests/lib/proxies.sh"
. "$TOP/tests/lib/culvert.sh"
. "$TOP/tests/lib/cell.sh"

# Lanes run side by side. Proxy, what it is, rungs that it can pass.
LANES=(a b c)
PLAN_a="squid-bump mitmproxy" PLAN_b="squid storefwd" PLAN_c="squid-digest-abs nginx-front"
RUNGS="auto duplex split push poll" # auto: nobody says anything
declare -A TITLE=(
	[squid-bump]="Squid that intercepts TLS, otherwise stock"
	[mitmproxy]="mitmproxy: intercepts TLS, reads each body whole"
	[storefwd]="store-and-forward HTTP/1.0 proxy: intercepts TLS, one exchange per connection, two connections"
	[squid]="Squid, plain CONNECT"
	[nginx-front]="nginx in front of culvertd, as server/REVERSE-PROXIES.md says"
	[squid-digest-abs]="Squid that wants a password (Digest) and denies CONNECT: absolute form, sealed"
)
declare -A CAN=([squid-bump]=$RUNGS [squid]=$RUNGS [mitmproxy]="auto poll" [storefwd]="auto poll" [squid-digest-abs]=$RUNGS)

say() {
	printf '[%3d s] %s\n' "$SECONDS" "$*"
}

impossible() { # NAME PROXY RUNG
	printf '{"proxy":"%s","rung":"%s","impossible":"(buffers bodies)"}\n' "$2" "$3" >"$W/$1.json"
}

# The control: what everybody tries first. Whether it passes is the proxy's nature, not a result of ours.
control() { # PROXY
	local text
	if [ "$1" = squid-digest-abs ]; then # with the password, to be fair
		text="FAILS: CONNECT was answered $(curl -s -o /dev/null -w '%{http_connect}' --proxy-digest -U alice:secret \
			-x "http://127.0.0.1:${PROXY_PORT[$1]}" --cacert "$SERVER_CERT" "https://localhost:$WS_PORT/")"
		echo "$text" >"$W/$1.control"
		say "$1: a WebSocket upgrade $text"
		return
	fi
	text=$($PYTHON "$PROXIES/wscheck.py" --proxy "127.0.0.1:${PROXY_PORT[$1]}" --server "localhost:$WS_PORT" --cafile "${PROXY_CA[$1]:-$SERVER_CERT}")
	case $? in
	0) text="passes: $text" ;;
	*) text="FAILS: $text" ;;
	esac
	echo "$text" >"$W/$1.control"
	say "$1: a WebSocket upgrade $text"
}

# nginx in front of the server: the rung that is found, no more.
front_cell() {
	cell_run nginx-front.auto nginx-front auto
	cp "$W/nginx-front.auto.json" "$ROOT/"
	say "$(printf '%-17s%-7s' nginx-front auto) $($PYTHON "$TOP/tests/lib/cell.py" line "$W/nginx-front.auto.json"), by HTTP/$(proxy_versions nginx-front)"
}

proxy_cells() { # PROXY
	local rung name
	control "$1"
	for rung in $RUNGS; do
		name=$1.$rung
		case " ${CAN[$1]} " in
		*" $rung "*) ;;
		*) impossible "$name" "$1" "$rung" && continue ;;
		esac
		cell_run "$name" "$1" "$rung"
		say "$(printf '%-17s%-7s' "$1" "$rung") $($PYTHON "$TOP/tests/lib/cell.py" line "$W/$name.json")"
		cp "$W/$name.json" "$ROOT/"
	done
}

# A lane is a process of its own: far ends, then each of its proxies in turn.
lane() { # LANE
	local proxy name
	LANE=$1
	PID=() FED=()
	work_begin "$ROOT/lane-$1"
	ln -s "$ROOT/token" "$W/token"
	lane_start
	echo "$VOICE_TARGET $LOAD_TARGET" >"$W/targets.new" && mv "$W/targets.new" "$W/targets"
	await 20 test -s "$ROOT/server.port" || fail "no server"
	read -r SERVER_PORT SERVER_HTTP_PORT SERVER_CLEAR_PORT <"$ROOT/server.port"
	local plan="PLAN_$1"
	for proxy in ${!plan}; do
		PROXY_USER=
		if [ "$proxy" = squid-digest-abs ]; then
			PROXY_USER=alice
			(umask 077 && echo secret >"$W/proxy-password")
		fi
		if [ "$proxy" = nginx-front ]; then
			proxy_start nginx-front nginx-front "$SERVER_CLEAR_PORT"
			say "nginx-front is up: ${TITLE[nginx-front]}"
			front_cell
			proxy_stop nginx-front
			continue
		fi
		proxy_start "$proxy" "$proxy" "443 $SERVER_PORT $WS_PORT" "$SERVER_CERT"
		say "$proxy is up: ${TITLE[$proxy]}"
		proxy_cells "$proxy"
		cp "$W/$proxy.control" "$ROOT/"
		for name in $RUNGS; do
			[ -e "$ROOT/$proxy.$name.json" ] || cp "$W/$proxy.$name.json" "$ROOT/"
		done
		proxy_stop "$proxy"
	done
}

summary() {
	local proxy files=() rc=0
	printf '\nThe control, a WebSocket upgrade through the same proxy in the same mode:\n'
	for proxy in squid-bump mitmproxy storefwd squid squid-digest-abs; do
		printf '  %-17s %s\n' "$proxy" "$(cat "$ROOT/$proxy.control" 2>/dev/null || echo "not tried")"
		for rung in $RUNGS; do
			[ -e "$ROOT/$proxy.$rung.json" ] || echo "{\"proxy\":\"$proxy\",\"rung\":\"$rung\",\"kind\":\"$proxy\",\"connects\":0,\"tunnels\":0,\"exchanges\":0,\"intact\":false,\"ok\":false,\"complaints\":[\"did not run\"]}" >"$ROOT/$proxy.$rung.json"
			files+=("$ROOT/$proxy.$rung.json")
		done
	done
	[ -e "$ROOT/nginx-front.auto.json" ] || echo '{"proxy":"nginx-front","rung":"auto","kind":"nginx-front","connects":0,"tunnels":0,"exchanges":0,"intact":false,"ok":false,"complaints":["did not run"]}' >"$ROOT/nginx-front.auto.json"
	files+=("$ROOT/nginx-front.auto.json")
	cat <<-TEXT

		Culvert: an Opus call both ways (GStreamer) and a TCP echo at the same time. Exchanges: HTTP requests in the proxy's
		own log; nginx-front: nginx in front of the server; auto: the rung that Culvert chose by itself. Sent, received, lost: RTP packets of the call, both directions. Delay: one way, the worse direction, of a
		second call of 50 packets/s; late: over 150 ms or lost. Tone: what each end heard is the tone that was sent.

	TEXT
	$PYTHON "$TOP/tests/lib/cell.py" table "${files[@]}" || rc=1
	return $rc
}

# Beside the lanes, in a network of its own, where this machine lets us make one.
lossy_begin() {
	"$TOP/tests/lib/namespace.sh" /dev/null 2>"$W/no-lossy" || return 0
	TMPDIR=$W launch lossy "$TOP/tests/demo/lossy.sh"
}

lossy_end() {
	local rc=0
	printf '\nA call over a link that loses packets:\n\n'
	if [ -n "${PID[lossy]:-}" ]; then
		finish lossy 60 || rc=1
		sed -e 's/^/  /' "$W/lossy.out" "$W/lossy.err"
	else
		printf '  Not shown: %s\n' "$(cat "$W/no-lossy")"
	fi
	return $rc
}

SECONDS=0
work_begin "$(mktemp -d "${TMPDIR:-/tmp}/culvert-demo.XXXXXX")"
ROOT=$W
say "logs: $ROOT"
SERVER_NAME=localhost
credentials_make
SERVER_CERT=$ROOT/server.crt
launch wsecho $PYTHON "$PROXIES/wsecho.py" --cert "$SERVER_CERT" --key "$ROOT/server.key"
launch sig-echo $PYTHON "$TOP/tests/tools/signalling.py" serve
WS_PORT=$(port_of "$(ready wsecho tcp wsecho)")
services=(--service "sig=tcp://$(ready sig-echo tcp echo)")

lossy_begin
for l in "${LANES[@]}"; do
	lane "$l" 2>"$ROOT/lane-$l.log" &
	PID[lane-$l]=$!
done
for l in "${LANES[@]}"; do
	await 20 test -s "$ROOT/lane-$l/targets" || fail "the far ends did not start; see $ROOT/lane-$l.log"
	read -r voice load <"$ROOT/lane-$l/targets"
	services+=(--service "$l-voice=udp://$voice" --service "$l-load=udp://$load")
done
SERVER_PLAIN=1 SERVER_CLEAR=1 server_start culvertd "${services[@]}"
echo "$SERVER_PORT $SERVER_HTTP_PORT $SERVER_CLEAR_PORT" >"$ROOT/server.port.new" && mv "$ROOT/server.port.new" "$ROOT/server.port"
say "culvertd listens on 127.0.0.1:$SERVER_PORT"
proxy_start examined mitmproxy "" "$SERVER_CERT"
launch doctor "$CULVERT" doctor "https://localhost:$SERVER_PORT" --token-file "$W/token" --proxy "http://127.0.0.1:${PROXY_PORT[examined]}" \
	--cafile "${PROXY_CA[examined]}" --seconds 2

for l in "${LANES[@]}"; do
	finish "lane-$l" 120 || say "lane $l ended early: $(tail -n 3 "$ROOT/lane-$l.log")"
done
summary
rc=$?
lossy_end || rc=1
printf '\nWhat `culvert doctor` says of a proxy like mitmproxy:\n\n'
finish doctor 60 || { echo "the doctor ended with status $?"; rc=1; }
sed -e 's/^/  /' "$W/doctor.out"
proxy_stop examined
stop culvertd || { echo "culvertd ended with status $?"; rc=1; }
printf '\n%s in %d s. Logs: %s\n' "$([ $rc -eq 0 ] && echo "Everything passed" || echo "SOMETHING FAILED")" "$SECONDS" "$ROOT"
exit $rc
