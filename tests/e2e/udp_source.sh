#!/usr/bin/env bash
# The target sees one source port for each local source, whatever happens to connections and proxies.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
setup_echo
launch cutter "$TOOLS/cutter" --to "127.0.0.1:$SERVER_PORT" --cut 400
CUTTER=$(ready cutter tcp cutter) || fail "no cutter"
for rung in duplex poll; do
	helper_echo $rung --server "https://localhost:$(port_of "$CUTTER")" --rung $rung
	passes 10 || fail "$rung: nothing passes"
	port=$(free_port)
	first=$(datagrams seen "$UDP" --bind "$port") || fail "$rung: no answer"
	for turn in 1 2 3 4 5 6; do
		sleep 0.3
		again=$(datagrams seen "$UDP" --bind "$port") || fail "$rung: no answer after a cut"
		[ "$again" = "$first" ] || fail "$rung: the target saw $first, then $again"
	done
	other=$(datagrams seen "$UDP") || fail "$rung: no answer for another source"
	[ "$other" != "$first" ] || fail "$rung: two local sources share one port at the server"
	stop_expecting $rung 0
done
stop cutter
check "$(json "$W/cutter.out" cut)" ">=" 4 "connections cut"
