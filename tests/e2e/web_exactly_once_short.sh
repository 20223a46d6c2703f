#!/usr/bin/env bash
# 5,000 messages of the browser library through cuts, lost and repeated requests, sleep and reloads: each once, in order; restart and expiry close.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/web/chaos.sh"
