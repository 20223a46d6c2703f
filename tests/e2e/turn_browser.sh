#!/usr/bin/env bash
# Chromium behind a proxy (Squid, or TURN_KIND) in a call with Janus by TURN through the helper's port; and what it reaches without Culvert.
# seconds: 90
[ -n "${IN_NAMESPACE:-}" ] || NO_LINK=1 IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/web/turn/rig.sh"
KIND=${TURN_KIND:-squid}
turn_far
turn_near near "$KIND"
[ -n "${TURN_BROWSER_ARG:-}" ] || turn_control near "$KIND"
turn_helper near
turn_call near echo --seconds "${TURN_SECONDS:-5}" ${TURN_CHOOSE:+--choose} ${TURN_BROWSER_ARG:+"--browser=$TURN_BROWSER_ARG"}
turn_good near
"$CULVERT" status --control "$W/helper-near.sock" >"$W/status" || fail "no status"
cat "$W/status" >&2
wanted="ago$"
[ -z "${TURN_BROWSER_ARG:-}" ] || wanted="never$" # its policy
grep -q -E "^  udp 127.0.0.1:3478 turn .*$wanted" "$W/status" || fail "the status does not say when TURN was last used, or that it was not"
stop_expecting helper-near 0
stop_expecting culvertd 0
