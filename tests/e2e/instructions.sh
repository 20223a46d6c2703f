#!/usr/bin/env bash
# 1,000 packets of 172 bytes each way through duplex: instructions per packet at both ends, OpenSSL and all, within bounds.
# seconds: 240
. "$(dirname "$0")/e2e.sh"

# Measured: 11,900 and 11,500, half of that OpenSSL's; a quarter more is a mistake in the packet path, not noise.
READY_SECONDS=60 # valgrind is slow to begin, the more so on a busy machine
PACKETS=1000 MOST_HELPER=15000 MOST_SERVER=14500

# A program under callgrind, which counts what the program itself does, whatever else the machine does.
counted() { # NAME PROGRAM
	printf '#!/bin/sh\nexec valgrind -q --tool=callgrind --compress-strings=no --callgrind-out-file=%s %s "$@"\n' "$W/$1.cg" "$2" >"$W/$1"
	chmod +x "$W/$1"
	echo "$W/$1"
}

# Instructions so far; begins to count anew.
spent() { # NAME PROCESS
	rm -f "$W/$1".cg.*
	callgrind_control --dump "${PID[$2]}" >/dev/null 2>&1 || fail "callgrind does not answer"
	cat "$W/$1".cg.* | sed -n 's/^totals: //p'
}

credentials_make
targets_start
CULVERTD=$(counted culvertd-counted "$CULVERTD") CULVERT=$(counted culvert-counted "$CULVERT")
server_start culvertd --redundancy never --service "udp=udp://$UDP_TARGET"
helper_start helper --rung duplex -L udp://127.0.0.1:0=udp
UDP=$(helper_udp helper udp)
passes 60 || fail "nothing passes"
datagrams pingpong "$UDP" --count 200 >/dev/null || fail "warming up"
spent culvert-counted helper >/dev/null
spent culvertd-counted culvertd >/dev/null
datagrams pingpong "$UDP" --count $PACKETS >"$W/pong" || fail "$(cat "$W/pong")"
helper=$(($(spent culvert-counted helper) / PACKETS / 2)) server=$(($(spent culvertd-counted culvertd) / PACKETS / 2))
note "instructions per packet: $helper in the helper, $server in the server"
[ $helper -gt 1000 ] && [ $server -gt 1000 ] || fail "callgrind counted nothing: $helper, $server"
[ $helper -le $MOST_HELPER ] || fail "the helper spends $helper instructions on a packet, not $MOST_HELPER"
[ $server -le $MOST_SERVER ] || fail "the server spends $server instructions on a packet, not $MOST_SERVER"
stop_expecting helper 0
