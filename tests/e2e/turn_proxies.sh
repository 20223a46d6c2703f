#!/usr/bin/env bash
# turn_browser through the other proxies, and in a browser whose policy forbids UDP: then by TURN over TCP.
# long
# seconds: 300
. "$(dirname "$0")/e2e.sh"
row() { # NAME KIND GOOD [BROWSER-ARGUMENT]
	mkdir -p "$W/$1"
	E2E_DIR=$W/$1 TURN_KIND=$2 GOOD=$3 TURN_BROWSER_ARG=${4:-} launch "row-$1" bash "$TOP/tests/e2e/turn_browser.sh"
	finish "row-$1" 90 || fail "$1: $(grep -v ALSA "$W/row-$1.err" | tail -n 20)"
	note "$1: $(grep '"audio"' "$W/$1/call-near.out")"
}
row tcp squid by=relay/tcp --webrtc-ip-handling-policy=disable_non_proxied_udp
export TURN_CHOOSE=1
row squid-bump squid-bump by=relay/udp
for kind in mitmproxy storefwd storefwd-abs; do # they read bodies whole; the latter two have two connections, one request at a time on each
	row $kind $kind "by=relay/udp lost=10"
done
