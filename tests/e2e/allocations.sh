#!/usr/bin/env bash
# 10,000 packets each way on each rung: no call of malloc in steady state on duplex, split and websocket, over HTTP/2 too, few per exchange elsewhere.
# seconds: 90
# alone: it measures time
. "$(dirname "$0")/e2e.sh"

# A program under the counter, OpenSSL and all; the number is in $W/NAME.count.
counted() { # NAME PROGRAM
	printf '#!/bin/sh\nALLOCCOUNT_FILE=%s LD_PRELOAD=%s exec %s "$@"\n' "$W/$1.count" "$TOOLS/alloccount.so" "$2" >"$W/$1"
	chmod +x "$W/$1"
	echo "$W/$1"
}

count() { # NAME
	od -An -tu8 -N8 "$W/$1.count" | tr -d ' '
}

[ -f "$TOOLS/alloccount.so" ] || fail "no $TOOLS/alloccount.so: build it first (make tools)"
PACKETS=10000
credentials_make
targets_start
CULVERTD=$(counted culvertd-counted "$CULVERTD") CULVERT=$(counted culvert-counted "$CULVERT")
server_start culvertd --service "udp=udp://$UDP_TARGET"
for rung in duplex split websocket duplex-h2 split-h2 websocket-h2 push poll; do
	version=(--http 1.1)
	[[ $rung != *-h2 ]] || version=(--http 2)
	helper_start $rung --rung ${rung%-h2} "${version[@]}" -L udp://127.0.0.1:0=udp
	UDP=$(helper_udp $rung udp)
	passes 10 || fail "$rung: nothing passes"
	datagrams pingpong "$UDP" --count 1000 >/dev/null || fail "$rung: warming up"
	helper=$(count culvert-counted) server=$(count culvertd-counted)
	datagrams pingpong "$UDP" --count $PACKETS >"$W/$rung.pong" || fail "$rung: $(cat "$W/$rung.pong")"
	helper=$(($(count culvert-counted) - helper)) server=$(($(count culvertd-counted) - server))
	note "$rung: $helper allocations in the helper, $server in the server for $PACKETS packets each way"
	case $rung in
	duplex* | split* | websocket*) most=20 ;; # not one per packet; what a timer in these seconds may need
	*) most=$((PACKETS * 5)) ;; # a few for each exchange, and here each packet is one or two
	esac
	[ "$helper" -le $most ] || fail "$rung: the helper allocates: $helper"
	[ "$server" -le $most ] || fail "$rung: the server allocates: $server"
	if [ $rung = push ]; then # downwards alone: what is left are the posts with receipts, ten a second
		helper=$(count culvert-counted) server=$(count culvertd-counted) began=$SECONDS
		datagrams flood "$UDP" --count $PACKETS >"$W/flood" || fail "$rung: $(cat "$W/flood")"
		most=$(((SECONDS - began + 2) * 10 * 5))
		helper=$(($(count culvert-counted) - helper)) server=$(($(count culvertd-counted) - server))
		note "$rung, down leg: $helper allocations in the helper, $server in the server for $PACKETS packets"
		[ "$helper" -le $most ] && [ "$server" -le $most ] || fail "$rung: the down leg allocates: $helper, $server, not $most"
	fi
	stop_expecting $rung 0
done
