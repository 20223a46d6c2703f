#!/usr/bin/env bash
# Packets of 172 bytes each way through duplex: instructions per packet at both ends, OpenSSL and all, within bounds.
# seconds: 240
. "$(dirname "$0")/e2e.sh"

# Measured: 12,900 and 12,500, half of that OpenSSL's; a quarter more is a mistake in the packet path, not noise.
MOST_HELPER=16000 MOST_SERVER=15600
PACKETS=400 PARTS=4 # the least of them counts: what timers do is shared by more packets the faster they come
READY_SECONDS=60 # valgrind is slow to begin, the more so on a busy machine

# A program under callgrind, which counts what the program itself does, whatever else the machine does.
counted() { # NAME PROGRAM
	printf '#!/bin/sh\nexec valgrind -q --tool=callgrind --compress-strings=no --callgrind-out-file=%s %s "$@"\n' "$W/$1.cg" "$2" >"$W/$1"
	chmod +x "$W/$1"
	echo "$W/$1"
}

# Instructions since the last time.
spent() { # PROGRAM PROCESS
	rm -f "$W/$1-counted".cg.*
	callgrind_control --dump "${PID[$2]}" >/dev/null 2>&1 || fail "callgrind does not answer"
	cat "$W/$1-counted".cg.* | sed -n 's/^totals: //p'
}

# A packet each way passes each end twice. Lowers least_helper and least_server.
part() {
	local helper server
	spent culvert helper >/dev/null
	spent culvertd culvertd >/dev/null
	datagrams pingpong "$UDP" --count $PACKETS >"$W/pong" || fail "$(cat "$W/pong")"
	helper=$(($(spent culvert helper) / PACKETS / 2)) server=$(($(spent culvertd culvertd) / PACKETS / 2))
	note "instructions per packet: $helper in the helper, $server in the server"
	[ $helper -gt 1000 ] && [ $server -gt 1000 ] || fail "callgrind counted nothing"
	[ $helper -gt $least_helper ] || least_helper=$helper
	[ $server -gt $least_server ] || least_server=$server
}

credentials_make
targets_start
CULVERTD=$(counted culvertd-counted "$CULVERTD") CULVERT=$(counted culvert-counted "$CULVERT")
server_start culvertd --redundancy never --service "udp=udp://$UDP_TARGET"
helper_start helper --rung duplex --carriers 1 -L udp://127.0.0.1:0=udp
UDP=$(helper_udp helper udp)
passes 60 || fail "nothing passes"
datagrams pingpong "$UDP" --count 200 >/dev/null || fail "warming up"
least_helper=1000000 least_server=1000000
for ((i = 0; i < PARTS; i++)); do
	part
done
[ $least_helper -le $MOST_HELPER ] || fail "the helper spends $least_helper instructions on a packet, not $MOST_HELPER"
[ $least_server -le $MOST_SERVER ] || fail "the server spends $least_server instructions on a packet, not $MOST_SERVER"
stop_expecting helper 0
