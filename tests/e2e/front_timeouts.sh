#!/usr/bin/env bash
# Web servers in front with time-outs of 10 s: keepalives hold an idle session, and nothing is replaced or lost.
# seconds: 80
. "$(dirname "$0")/e2e.sh"
SERVER_CLEAR=1 setup_echo
programs="nginx haproxy apache nghttpx"
declare -A EDIT=(
	[nginx]='s/90s/10s/'
	[haproxy]='s/90s/10s/; s/timeout tunnel 1h/timeout tunnel 10s/; s/50000/10000/'
	[apache]='s/timeout=90/timeout=10/; s/^Timeout 300/Timeout 10/'
	[nghttpx]='s/^backend-read-timeout=90/backend-read-timeout=10\nfrontend-read-timeout=10\nfrontend-http2-read-timeout=10\nstream-read-timeout=10/'
)
status() { # PROGRAM
	"$CULVERT" status --json --control "$W/$1.control" >"$W/$1.json" 2>"$W/$1.said"
}

settled() { # PROGRAM
	status "$1" && [ "$(json "$W/$1.json" path.rung)" != poll ]
}

for program in $programs; do
	FRONT_EDIT=${EDIT[$program]} proxy_start $program $program-front "$SERVER_CLEAR_PORT"
	[ "$(grep -c -E '=?10s?$|10s;|=10$|10000$' "$W/$program/front.conf")" -ge 2 ] || fail "$program: no short time-outs in its configuration"
	helper_start "helper-$program" --server "https://localhost:${PROXY_PORT[$program]}" --cafile "${PROXY_CA[$program]}" --control "$W/$program.control" \
		-L udp://127.0.0.1:0=udp -L tcp://127.0.0.1:0=sig
done
for program in $programs; do
	await 15 settled $program || fail "$program: still $(json "$W/$program.json" path.rung)"
	UDP=$(helper_udp "helper-$program" udp)
	passes 5 || fail "$program: nothing passes"
done
sleep 5 # behind a climb the ways that it went are tidied up
for program in $programs; do
	status $program
	json "$W/$program.json" path.rung >"$W/$program.before"
done
sleep 28
for program in $programs; do
	status $program || fail "$program: $(cat "$W/$program.said")"
	note "$(printf '%-8s %-10s %s changes, %s stalls, cuts learned: %s' $program "$(json "$W/$program.json" path.rung)" "$(json "$W/$program.json" path.changes)" \
		"$(json "$W/$program.json" path.stalls)" "$(json "$W/$program.json" path.cuts)")"
	[ "$(json "$W/$program.json" path.rung)" = "$(cat "$W/$program.before")" ] || fail "$program: another rung after idling"
	[ "$(json "$W/$program.json" path.stalls)" = 0 ] || fail "$program: stalls while idle"
	datagrams pingpong "$(helper_udp "helper-$program" udp)" --count 50 >"$W/$program.pong" || fail "$program: after idling: $(cat "$W/$program.pong")"
	signalling check "$(helper_tcp "helper-$program" sig)" --bytes 20000 --timeout 5 >"$W/$program.sig" || fail "$program: signalling after idling"
	stop_expecting "helper-$program" 0
done
