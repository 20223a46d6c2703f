#!/usr/bin/env bash
# A call through a store-and-forward HTTP/1.0 proxy with two connections per client, chosen by hand and by itself.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
setup_calls
proxy_start storefwd storefwd "" "$SERVER_CERT"
for rung in poll auto; do
	call storefwd $rung
	[ "$TUNNELS" -eq 0 ] || fail "$rung: $TUNNELS tunnels"
	check "$EXCHANGES" ">=" 50 "exchanges in the proxy's log"
	# each exchange has a connection of its own; at most the two opened ahead were not used any more
	check "$((CONNECTS - EXCHANGES))" "<=" 4 "connections without an exchange"
done
! grep -q " refused " "$W/storefwd/exchanges.log" || fail "more than two connections were tried"
awk '$3 == "exchange" && $6 != 200' "$W/storefwd/exchanges.log" >"$W/not-200"
echo "exchanges not answered 200: $(wc -l <"$W/not-200")"
