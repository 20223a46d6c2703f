#!/usr/bin/env bash
# Each switch of the nasty proxy does what it says, so that the tests that use it prove something.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
$PYTHON "$ZOO/nasty_check.py" "$W/nasty" || fail "a switch does not do what it says"
