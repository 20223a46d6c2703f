#!/usr/bin/env bash
# Calls without a proxy, on each rung and with the automatic choice.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
setup_calls
for rung in duplex split push poll auto; do
	call direct $rung
done
grep -q "carried by duplex now" "$W/direct.auto.err" || fail "the automatic choice was not duplex on a clean path"
stop_expecting culvertd 0
