#!/usr/bin/env bash
# The helper's HTTP/2 against nginx, HAProxy, Apache, nghttpx and Node: each rung, GOAWAY in mid-call, few streams at a time, small windows.
# seconds: 130
. "$(dirname "$0")/e2e.sh"
SERVER_CLEAR=1 setup_echo
# Program, rungs that pass it over HTTP/2.
RUNGS='
nginx    poll push split duplex
haproxy  poll push split duplex websocket
apache   poll push split+fill websocket
nghttpx  poll push split duplex websocket
node     poll push split duplex websocket
'
# Connections are drained (GOAWAY) behind a dozen requests. Node does that by itself; HAProxy and Apache do when they are reloaded (front_reload).
declare -A DRAIN=([nginx]='s/keepalive_requests 100000/keepalive_requests 12/' [nghttpx]='s/^frontend-http2-window/frontend-max-requests=12\n&/')
# One stream at a time on a connection.
declare -A FEW=(
	[nginx]='s/^http {/&\nhttp2_max_concurrent_streams 1;/'
	[haproxy]='s/tune.h2.initial/tune.h2.max-concurrent-streams 1\n    &/'
	[apache]='s/Protocols h2 /H2MaxSessionStreams 1\n&/'
	[nghttpx]='s/^frontend-http2-window/frontend-http2-max-concurrent-streams=1\n&/'
)
# What a peer has when nobody says anything: 64 KB, of a stream and of a connection.
declare -A NARROW=(
	[nginx]='/client_body_buffer_size/d'
	[haproxy]='/initial-window-size/d'
	[nghttpx]='/http2-.*window-size/d'
)

# A helper through a proxy by HTTP/2: datagrams and signalling, on that rung.
goes() { # PROXY RUNG BYTES SECONDS
	local name=$1.$2 packets=50
	[ "$4" = 0 ] || packets=$(($4 * 45))
	helper_start "$name" --server "https://localhost:${PROXY_PORT[$1]}" --cafile "${PROXY_CA[$1]}" --http 2 --rung "$2" --control "$W/$name.control" \
		-L udp://127.0.0.1:0=udp -L tcp://127.0.0.1:0=sig
	UDP=$(helper_udp "$name" udp)
	passes 15 || fail "$name: nothing passes: $(cat "$W/$name.err")"
	launch "$name.signalling" $PYTHON "$TOP/tests/tools/signalling.py" check "$(helper_tcp "$name" sig)" --bytes "$3" --seconds "$4" --timeout 20
	datagrams pingpong "$UDP" --count $packets --gap 20 >"$W/$name.pong" 2>&1 # on a busy machine some are too late
	check "$(sed -n 's/.* packets, \([0-9]*\) lost/\1/p' "$W/$name.pong")" "<=" $((packets / 10)) "$name: packets lost"
	finish "$name.signalling" 30 || fail "$name: signalling: $(cat "$W/$name.signalling.out" "$W/$name.err")"
	"$CULVERT" status --json --control "$W/$name.control" >"$W/$name.json" || fail "$name: no status"
	[ "$(json "$W/$name.json" path.rung)" = "$2" ] || fail "$name: by $(json "$W/$name.json" path.rung)"
	stop_expecting "$name" 0
	note "$name: $(head -n 1 "$W/$name.pong")"
}

one() { # PROGRAM RUNG...: of its own, beside the others
	local program=$1 rung exchanges connections
	shift
	PID=()
	work_begin "$W"
	proxy_start "$program" "$program-front" "$SERVER_CLEAR_PORT"
	for rung in "$@"; do
		goes "$program" "$rung" 100000 0
	done
	[ "$(proxy_versions "$program")" = 2.0 ] || fail "$program: HTTP/$(proxy_versions "$program") in its log"
	proxy_stop "$program"
	if [ -n "${DRAIN[$program]:-}" ] || [ "$program" = node ]; then
		NODE_FRONT=goaway=12 FRONT_EDIT=${DRAIN[$program]:-} proxy_start "$program-drain" "$program-front" "$SERVER_CLEAR_PORT"
		goes "$program-drain" poll 100000 4
		proxy_stop "$program-drain"
		read -r _ _ exchanges < <(proxy_count "$program-drain")
		connections=$(proxy_connections "$program-drain")
		note "$program: drained $connections connections in $exchanges exchanges"
		check "$exchanges" ">=" 100 "exchanges on connections that are drained"
		check "$connections" ">=" $((exchanges / 20)) "connections for $exchanges exchanges, 12 each"
	fi
	NODE_FRONT=streams=1 FRONT_EDIT=${FEW[$program]:-} proxy_start "$program-few" "$program-front" "$SERVER_CLEAR_PORT"
	nghttp -nv "https://localhost:${PROXY_PORT[$program-few]}/healthz" 2>&1 | grep -q 'SETTINGS_MAX_CONCURRENT_STREAMS(0x03):1\]' || fail "$program: takes more than one stream"
	goes "$program-few" poll 50000 1
	proxy_stop "$program-few"
	FRONT_EDIT=${NARROW[$program]:-} proxy_start "$program-narrow" "$program-front" "$SERVER_CLEAR_PORT"
	goes "$program-narrow" push 2000000 0
	proxy_stop "$program-narrow"
}

while read -r program rungs; do
	[ -n "$program" ] || continue
	(one $program $rungs) >"$W/$program.log" 2>&1 &
	PID[$program]=$!
done <<<"$RUNGS"
failed= # each goes to its end, so that nothing of it is left
for program in nginx haproxy apache nghttpx node; do
	finish $program 110 || failed+=" $program"
	cat "$W/$program.log" >&2
done
[ -z "$failed" ] || fail "not in order:$failed"
