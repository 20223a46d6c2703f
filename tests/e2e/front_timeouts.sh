#!/usr/bin/env bash
# Web servers in front with time-outs of 10 s: keepalives hold an idle session on the best rung and on a WebSocket; nothing is cut or lost.
# seconds: 90
# long
. "$(dirname "$0")/e2e.sh"
SERVER_CLEAR=1 setup_echo
programs="nginx haproxy apache nghttpx"
declare -A EDIT=(
	[nginx]='s/90s/10s/'
	[haproxy]='s/90s/10s/; s/timeout tunnel 5m/timeout tunnel 10s/; s/50000/10000/'
	[apache]='s/timeout=90/timeout=10/; s/^Timeout 300/Timeout 10/'
	[nghttpx]='s/read-timeout=90/read-timeout=10\nfrontend-http2-read-timeout=10\nstream-read-timeout=10/'
)
declare -A LEAST=([nginx]=4 [haproxy]=6 [apache]=2 [nghttpx]=4) # lines that this changes

helpers() { # PROGRAM
	echo "$1" "$1-websocket"
}

status() { # HELPER
	"$CULVERT" status --json --control "$W/$1.control" >"$W/$1.json" 2>"$W/$1.said"
}

settled() { # HELPER: on its best rung
	local rung=duplex
	case $1 in *-websocket | apache) rung=websocket ;; esac
	status "$1" && [ "$(json "$W/$1.json" path.rung)" = $rung ]
}

start() { # HELPER PROGRAM ARG...
	helper_start "helper-$1" --server "https://localhost:${PROXY_PORT[$2]}" --cafile "${PROXY_CA[$2]}" --control "$W/$1.control" \
		-L udp://127.0.0.1:0=udp -L tcp://127.0.0.1:0=sig "${@:3}"
}

for program in $programs; do
	FRONT_EDIT=${EDIT[$program]} proxy_start $program $program-front "$SERVER_CLEAR_PORT"
	short=$(grep -c -i -E 'time_?out.*[ =](10|10s|10000);?$' "$W/$program/front.conf")
	[ "$short" -ge "${LEAST[$program]}" ] || fail "$program: only $short short time-outs in its configuration"
	start $program $program
	start $program-websocket $program --rung websocket
done
for program in $programs; do
	for helper in $(helpers $program); do
		await 25 settled $helper || fail "$helper: $(json "$W/$helper.json" path.rung): $(json "$W/$helper.json" path.why)"
		UDP=$(helper_udp "helper-$helper" udp)
		passes 5 || fail "$helper: nothing passes"
	done
done
sleep 3 # behind a climb the ways that it went are tidied up
for program in $programs; do
	for helper in $(helpers $program); do
		status $helper
		cp "$W/$helper.json" "$W/$helper.before"
	done
done
sleep 28
for program in $programs; do
	for helper in $(helpers $program); do
		status $helper || fail "$helper: $(cat "$W/$helper.said")"
		note "$(printf '%-18s %-10s cuts learned: %s' $helper "$(json "$W/$helper.json" path.rung)" "$(json "$W/$helper.json" path.cuts)")"
		for what in path.rung path.changes path.stalls path.cuts; do
			[ "$(json "$W/$helper.json" $what)" = "$(json "$W/$helper.before" $what)" ] ||
				fail "$helper: $what was $(json "$W/$helper.before" $what), and $(json "$W/$helper.json" $what) after idling"
		done
		datagrams pingpong "$(helper_udp "helper-$helper" udp)" --count 50 >"$W/$helper.pong" || fail "$helper: after idling: $(cat "$W/$helper.pong")"
		signalling check "$(helper_tcp "helper-$helper" sig)" --bytes 20000 --timeout 5 >"$W/$helper.sig" || fail "$helper: signalling after idling"
		! grep -q -E "was lost|connecting again|stalled" "$W/helper-$helper.err" || fail "$helper: $(grep -E "was lost|connecting again|stalled" "$W/helper-$helper.err")"
		stop_expecting "helper-$helper" 0
	done
done
