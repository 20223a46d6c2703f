#!/usr/bin/env bash
# Two Chromiums in a room of Janus' VideoRoom, each behind a proxy of its own (an intercepting Squid; an HTTP/1.0 one): each sees and hears the other.
# long
# seconds: 180
[ -n "${IN_NAMESPACE:-}" ] || NO_LINK=1 IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/web/turn/rig.sh"
turn_far
turn_near near squid-bump
turn_helper near
turn_call near room --choose --settle 4 --seconds "${TURN_SECONDS:-10}"
turn_near other "${TURN_OTHER:-storefwd}" 79
turn_helper other
turn_call other room --choose --settle 4 --seconds "${TURN_SECONDS:-10}"
GOOD="lost=5" turn_good near
GOOD="lost=10" turn_good other
for each in near other; do
	stop_expecting helper-$each 0
done
stop_expecting culvertd 0
