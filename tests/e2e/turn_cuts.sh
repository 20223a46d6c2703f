#!/usr/bin/env bash
# Chromium in a call of TURN_MINUTES (2) by TURN through a proxy that cuts each connection at 30 s: no freeze above 500 ms, no gap of audio above 200 ms (and what the page was held up).
# long
# alone: it measures time
# seconds: 900
[ -n "${IN_NAMESPACE:-}" ] || NO_LINK=1 IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/web/turn/rig.sh"
turn_far
NASTY="cut_age=30" turn_near near nasty-tunnel
turn_helper near
proxy_mark proxy-near
seconds=$((${TURN_MINUTES:-2} * 60))
turn_call near echo --choose --seconds $seconds
GOOD="freeze=500 gap=200 lost=1 concealed=2" turn_good near $((seconds + 60))
cuts=$(nasty_events proxy-near cut)
note "$cuts connections were cut"
check "$cuts" ">=" 1 "connections that the proxy cut, until the helper knew it and replaced them before"
stop_expecting helper-near 0
