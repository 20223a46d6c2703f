#!/usr/bin/env bash
# Packets of 172 bytes each way through duplex: instructions per packet at both ends, OpenSSL and all, within bounds; by HTTP/2 at most 1.3 times as many, by WebSocket 1.1 times.
# seconds: 360
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
	spent culvert $HELPER >/dev/null
	spent culvertd culvertd >/dev/null
	datagrams pingpong "$UDP" --count $PACKETS >"$W/pong" || fail "$(cat "$W/pong")"
	helper=$(($(spent culvert $HELPER) / PACKETS / 2)) server=$(($(spent culvertd culvertd) / PACKETS / 2))
	note "instructions per packet: $helper in the helper, $server in the server"
	[ $helper -gt 1000 ] && [ $server -gt 1000 ] || fail "callgrind counted nothing"
	[ $helper -gt $least_helper ] || least_helper=$helper
	[ $server -gt $least_server ] || least_server=$server
}

credentials_make
targets_start
CULVERTD=$(counted culvertd-counted "$CULVERTD") CULVERT=$(counted culvert-counted "$CULVERT")
server_start culvertd --redundancy never --service "udp=udp://$UDP_TARGET"
# Sets least_helper and least_server.
measure() { # HTTP-VERSION RUNG
	HELPER=helper-$1-$2
	helper_start $HELPER --http "$1" --rung "$2" --carriers 1 -L udp://127.0.0.1:0=udp
	UDP=$(helper_udp $HELPER udp)
	passes 60 || fail "nothing passes"
	datagrams pingpong "$UDP" --count 200 >/dev/null || fail "warming up"
	least_helper=1000000 least_server=1000000
	for ((i = 0; i < PARTS; i++)); do
		part
	done
	stop_expecting $HELPER 0
}

# The same by another way: at most so many percent of what it is by HTTP/1.1.
at_most() { # PERCENT WHAT
	note "$2: $((100 * least_helper / h1_helper)) % in the helper, $((100 * least_server / h1_server)) % in the server"
	[ $((100 * least_helper)) -le $(($1 * h1_helper)) ] || fail "$2: $least_helper instructions in the helper, not $1 % of $h1_helper"
	[ $((100 * least_server)) -le $(($1 * h1_server)) ] || fail "$2: $least_server instructions in the server, not $1 % of $h1_server"
}

measure 1.1 duplex
h1_helper=$least_helper h1_server=$least_server
[ $h1_helper -le $MOST_HELPER ] || fail "the helper spends $h1_helper instructions on a packet, not $MOST_HELPER"
[ $h1_server -le $MOST_SERVER ] || fail "the server spends $h1_server instructions on a packet, not $MOST_SERVER"
measure 2 duplex
at_most 130 HTTP/2
measure 1.1 websocket
at_most 110 WebSocket
