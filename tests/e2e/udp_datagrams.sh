#!/usr/bin/env bash
# Datagrams of 0 to 65,507 bytes, twenty local sources, a port range; on each rung, whole, once, to the right one.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
credentials_make
targets_start
launch range $PYTHON "$TOP/tests/tools/datagrams.py" serve --ports 10
FIRST=$(ready range udp echo) || fail "no range"
LAST=$(port_of "$(ready range udp echo 10)")
server_start culvertd --service "udp=udp://$UDP_TARGET" --service "range=udp://$FIRST-$LAST"
for rung in duplex split push poll; do
	helper_start "$rung" --rung $rung -L udp://127.0.0.1:0=udp -L udp://127.0.0.1:0-9=range
	UDP=$(helper_udp $rung udp)
	passes 10 || fail "$rung: nothing passes"
	datagrams sizes "$UDP" || fail "$rung: sizes"
	datagrams sources "$UDP" || fail "$rung: sources"
	ports=()
	for n in 1 2 3 4 5 6 7 8 9 10; do
		ports+=("$(helper_udp $rung range $n)")
	done
	datagrams ports "${ports[@]}" || fail "$rung: port range"
	# the helper's range is in a row, as asked
	[ $(($(port_of "${ports[9]}") - $(port_of "${ports[0]}"))) -eq 9 ] || note "$rung: the ten ports are not in a row"
	stop_expecting $rung 0
done
