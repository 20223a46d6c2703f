#!/usr/bin/env bash
# A proxy, then the server, then the helper stop for three seconds (SIGSTOP): streams stay whole, datagrams go on.
# seconds: 120
. "$(dirname "$0")/e2e.sh"
setup_echo
proxy_start squid squid-bump "443 $SERVER_PORT" "$SERVER_CERT"
through() { # RUNG
	local who
	helper_echo "$1" --rung "$1" --proxy "http://127.0.0.1:${PROXY_PORT[squid]}" --cafile "${PROXY_CA[squid]}"
	passes 10 || fail "$1: nothing passes"
	for who in squid culvertd "$1"; do
		launch transfer $PYTHON "$TOP/tests/tools/signalling.py" check "$SIG" --bytes 4000000 --seconds 5
		sleep 1
		kill -STOP "${PID[$who]}"
		sleep 3
		kill -CONT "${PID[$who]}"
		passes 15 || fail "$1: no datagrams after $who had stopped"
		finish transfer 40 || fail "$1: transfer while $who stopped: $(tail -n 1 "$W/transfer.out")"
	done
	stop_expecting "$1" 0
}
through duplex
through poll
