#!/usr/bin/env bash
# 5,000 messages of the browser library through all that a proxy can do wrong, sleep and reloads: each once, in order; restart and expiry close it.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/web/chaos.sh"
make -s -C "$TOP" web || fail "client/web cannot be built"
RANDOM=${SEED:-11}
chaos_ends
export NODE_EXTRA_CA_CERTS=${PROXY_CA[nasty]}
SLEEPS="2" chaos_node client all 5000
check "$(chaos_lost)" ">=" 3 "requests and answers were lost"
check "$RELOADS" ">=" 1 "reloads"
chaos_restart --rest-expire 5
chaos_closed client

chaos_node sleeper poll 50
nasty_switch nasty cut_idle=0.5 # nothing stays held for it
kill -STOP "${PID[sleeper]}"
sleep 10
nasty_switch nasty cut_idle=0
kill -CONT "${PID[sleeper]}"
chaos_closed sleeper
