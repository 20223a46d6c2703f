#!/usr/bin/env bash
# The network changes under a call: it goes on from the same port, with no byte lost, and what means nothing changes nothing.
# seconds: 150
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
fi
. "$(dirname "$0")/e2e.sh"
RTT=40 # ms, on both networks

# A namespace with two uplinks to that of the server, which has an address of its own behind both.
SERVER_HOST=10.99.0.1
ip netns add near && ip netns add far || fail "no namespaces"
for net in 1 2; do
	launch link$net "$TOOLS/linkem" --ns-a near --ns-b far --delay $((RTT / 2)) --dev-a up$net --dev-b down$net \
		--addr-a 10.77.$net.2/24 --addr-b 10.77.$net.1/24
	await 10 grep -q "^ready link" "$W/link$net.out" || fail "link $net did not come up: $(cat "$W/link$net.err")"
done
near() { ip -n near "$@" || fail "ip $*"; }
far() { ip -n far "$@" || fail "ip $*"; }
far link set lo up
far addr add $SERVER_HOST/32 dev lo
near link set lo up
near link add noise type veth peer name noise-end
near link set noise up

come() { # NET METRIC: its address and its way out
	near addr replace "10.77.$1.2/24" dev "up$1"
	near route add default via "10.77.$1.1" dev "up$1" metric "$2"
}
go() { # NET
	near route del default via "10.77.$1.1" dev "up$1"
	near addr del "10.77.$1.2/24" dev "up$1"
}
near addr del 10.77.2.2/24 dev up2
near route add default via 10.77.1.1 dev up1 metric 100

# Datagrams with numbers, 50 in a second, from one port: the echo tells when, and from which port of the server they came.
SERVER_NAME=$SERVER_HOST credentials_make
IN=far launch udp-echo $PYTHON "$TOP/tests/tools/datagrams.py" serve
IN=far launch tcp-echo $PYTHON "$TOP/tests/tools/signalling.py" serve
UDP_TARGET=$(ready udp-echo udp echo) TCP_TARGET=$(ready tcp-echo tcp echo)
SERVER_NAME=$SERVER_HOST IN=far server_start culvertd --service "udp=udp://$UDP_TARGET" --service "sig=tcp://$TCP_TARGET"

helper() { # NAME ARG...
	SERVER_NAME=$SERVER_HOST LOG_LEVEL=debug IN=near helper_echo "$@" --state "$W/paths" --control "$W/$1.control"
}
rung_is() { # NAME RUNG
	[ "$("$CULVERT" status --json --control "$W/$1.control" 2>/dev/null | $PYTHON -c 'import json, sys; print(json.load(sys.stdin)["path"]["rung"])' 2>/dev/null)" = "$2" ]
}
# A call and a stream for so long, through the local ports of the helper.
traffic_begin() { # SECONDS
	IN=near launch call $PYTHON "$TOP/tests/tools/datagrams.py" call "$UDP" --seconds "$1"
	IN=near launch stream $PYTHON "$TOP/tests/tools/signalling.py" check "$SIG" --bytes 400000 --seconds "$1" --timeout 30
	await 5 grep -q "^first" "$W/call.out" || fail "the call does not begin"
}
traffic_end() { # MAX-GAP-MS WHAT
	local rc=0
	finish call 60 || rc=$?
	[ $rc -eq 0 ] || fail "$2: the call ended with $rc: $(cat "$W/call.err" "$W/call.out")"
	finish stream 60 || fail "$2: the stream is not intact: $(tail -n 1 "$W/stream.out")"
	GAP=$(json "$W/call.out" gap_ms)
	note "$2: $(tail -n 1 "$W/call.out")"
	check "$(json "$W/call.out" ports)" "==" 1 "$2: local ports of the server that the target saw"
	check "$GAP" "<=" "$1" "$2: ms without a datagram"
	rm -f "$W"/call.* "$W"/stream.*
}
logged() { # NAME PATTERN: so many lines
	grep -c -E -- "$2" "$W/$1.err"
}
new_network() { # NAME COUNT WHAT: it was noticed that often
	await 3 eval '[ "$(logged '"$1"' "another network: connecting anew")" -ge '"$2"' ]' || fail "$3: not noticed"
}
connected_from() { # NET: is there a connection of the helper by that network?
	ip netns exec near ss -Htn state established dst $SERVER_HOST | grep -q "10\.77\.$1\.2:"
}

for rung in auto duplex poll; do
	rm -f "$W/paths"
	helper $rung --rung $rung
	await 15 rung_is $rung "${rung/auto/duplex}" || fail "$rung: not carried"

	# Both networks are there for a while: the new way is made before the old one breaks.
	traffic_begin 5
	sleep 1
	come 2 30
	new_network $rung 1 "$rung: both there"
	await 3 connected_from 2 || fail "$rung: nothing goes by the new network"
	sleep 1
	go 1
	traffic_end 500 "$rung, both there" # 60 ms where the machine is not busy

	# The old one vanishes, then the new one comes; it is the first one again.
	traffic_begin 6
	sleep 1
	go 2
	come 1 100
	new_network $rung 2 "$rung: one after the other"
	traffic_end 2000 "$rung, one after the other"
	connected_from 1 || fail "$rung: nothing goes by the first network"
	[ $rung != auto ] || rung_is auto duplex || fail "not carried by duplex after the changes"

	# For a while there is none.
	traffic_begin 8
	sleep 1
	go 1
	sleep 2
	come 2 100
	traffic_end 4000 "$rung, none for 2 s"
	come 1 50
	go 2
	await 3 connected_from 1 || fail "$rung: not back"
	await 10 rung_is $rung "${rung/auto/duplex}" || fail "$rung: not carried in the end"
	[ $rung != auto ] || grep -q "known from an earlier visit to this network: duplex" "$W/auto.err" || fail "the first network is not known any more"

	# What means nothing.
	sleep 1
	before=$(logged $rung "connecting anew") open=$(logged $rung "connect -> tls")
	traffic_begin 3
	for i in $(seq 30); do
		near addr add "10.55.$i.1/24" dev noise
		near route add "10.56.$i.0/24" dev noise
		[ $((i % 2)) -eq 0 ] || near addr del "10.55.$i.1/24" dev noise
		sleep 0.05
	done
	near addr flush dev noise
	traffic_end 1000 "$rung, noise"
	[ "$(logged $rung "connecting anew")" -eq "$before" ] || fail "$rung: connected anew for nothing"
	[ $rung != duplex ] || [ "$(logged $rung "connect -> tls")" -eq "$open" ] || fail "$rung: new connections for nothing"
	stop_expecting $rung 0
done
