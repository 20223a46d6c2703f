#!/usr/bin/env bash
# A call through mitmproxy, which reads each body whole: poll passes, chosen by hand and by itself.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
setup_calls
proxy_start mitm mitmproxy "" "$SERVER_CERT"
for rung in poll auto; do
	call mitm $rung
	[ "$TUNNELS" -eq 0 ] || fail "$rung: $TUNNELS tunnels"
	check "$EXCHANGES" ">=" 50 "exchanges in the log of mitmproxy"
done
grep -q "connected to .* by poll" "$W/mitm.auto.err" || fail "the automatic choice is not poll"
grep -q "both ways at once held" "$W/mitm.auto.err" || fail "nobody was told that duplex does not pass"
