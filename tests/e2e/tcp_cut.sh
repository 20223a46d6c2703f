#!/usr/bin/env bash
# 50 MB each way over TCP while all connections are cut every second: every byte arrives, in order.
# seconds: 150
. "$(dirname "$0")/e2e.sh"
setup_echo
transfer() { # RUNG BYTES SECONDS CONNECTIONS
	launch "cutter-$1" "$TOOLS/cutter" --to "127.0.0.1:$SERVER_PORT" --cut 1000
	helper_echo "$1" --server "https://localhost:$(port_of "$(ready "cutter-$1" tcp cutter)")" --rung "$1"
	passes 10 || fail "$1: nothing passes"
	signalling check "$SIG" --bytes "$2" --seconds "$3" --connections "$4" --label "$1" | tee "$W/$1.result" || fail "$1: not intact: $(cat "$W/$1.result")"
	[ "$(json "$W/$1.result" intact)" = True ] || fail "$1: not intact"
	stop_expecting "$1" 0
	stop "cutter-$1"
	check "$(json "$W/cutter-$1.out" cut)" ">=" 4 "connections cut on $1"
}
transfer duplex 50000000 8 1
transfer split 5000000 5 4
transfer push 5000000 5 4
transfer poll 50000000 8 1
