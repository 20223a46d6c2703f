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
	refused=$(grep -c " refused " "$W/storefwd/exchanges.log")
	case $rung in # with poll it was said that two are allowed
	poll) check "$refused" "==" 0 "connections beyond two" ;;
	auto) check "$refused" "<=" 10 "refusals until the limit was learned" ;;
	esac
done
expect storefwd.auto 1 "the best rung is poll"
stop storefwd

# A helper that does not know of the limit runs into it once or twice, learns it, and stays below.
proxy_start strict storefwd "" "$SERVER_CERT"
helper_start learner --rung poll --proxy "http://127.0.0.1:${PROXY_PORT[strict]}" --cafile "${PROXY_CA[strict]}" \
	-L udp://127.0.0.1:0=e2e-load
tell load "$(helper_udp learner e2e-load) learner"
told load learner 30 >"$W/learner.json" || fail "no result of the load: $(cat "$W/load.err")"
expect learner 5 "one more than [12] connections was refused"
refused=$(grep -c " refused " "$W/strict/exchanges.log")
check "$refused" ">=" 1 "refusals before the limit was learned"
check "$refused" "<=" 10 "refusals until the limit was learned"
for way in up down; do
	check "$(json "$W/learner.json" $way.late150_pct)" "<=" 5 "packets late or lost $way while learning"
done
