#!/usr/bin/env bash
# An intercepting proxy starts to read bodies whole in mid-call, and stops: the helper follows within 5 s each way, no signalling byte lost.
# seconds: 90
# alone: it measures time
. "$(dirname "$0")/e2e.sh"
. "$ZOO/rows.sh"
. "$ZOO/lib.sh"
CALL_SECONDS=40
zoo_far_ends
zoo_server
zoo_proxy nasty
tell first begin
zoo_helper
rung_is() { # RUNG
	zoo_status "$W/status.json" && [ "$(json "$W/status.json" path.rung)" = "$1" ]
}
await 10 rung_is duplex || fail "the rung before: $(json "$W/status.json" path.rung)"
load=$(helper_udp helper load) sig=$(helper_tcp helper sig)
tell load "$load call"
launch signalling $PYTHON "$TOP/tests/tools/signalling.py" check "$sig" --bytes 800000 --seconds 38 --timeout 20
sleep 3

# Both are counted from the throw of the switch: the rung, and an echo that gets through.
follows() { # RUNG SWITCH...
	local began rung=$1
	shift
	began=$(date +%s%N)
	nasty_switch proxy "$@"
	await 15 rung_is "$rung" || fail "$*: still $(json "$W/status.json" path.rung) after 15 s: $(json "$W/status.json" path.why)"
	signalling check "$sig" --bytes 1000 --timeout 10 >/dev/null || fail "$*: $rung, but nothing passes"
	took=$((($(date +%s%N) - began) / 1000000))
	note "$*: $rung after $took ms ($(json "$W/status.json" path.why))"
	check $took "<=" 5000 "ms until $rung was in use after $*"
	sleep 4 # of a call on it
	rung_is "$rung" || fail "$*: $(json "$W/status.json" path.rung) a little later: it flaps"
}
follows poll store=both
follows duplex store=none
finish signalling 40 || fail "signalling: $(cat "$W/signalling.out")"
[ "$(json "$W/signalling.out" intact)" = True ] || fail "signalling is not intact"
told load call 40 >"$W/call.json" || fail "no result of the call"
note "call: gap up $(json "$W/call.json" up.gap_ms) ms, down $(json "$W/call.json" down.gap_ms) ms; lost $(json "$W/call.json" up.lost), $(json "$W/call.json" down.lost)"
for way in up down; do
	check "$(json "$W/call.json" $way.gap_ms)" "<=" 5000 "ms without a packet $way"
	check "$(json "$W/call.json" $way.duplicate)" "==" 0 "duplicate packets $way"
done
stop_expecting helper 0
