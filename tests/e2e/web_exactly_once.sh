#!/usr/bin/env bash
# 100,000 messages of the browser library and 30,000 in Chromium, through all that a proxy can do wrong, sleep and reloads: each once, in order.
# long
# seconds: 1800
# alone
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/web/chaos.sh"
make -s -C "$TOP" web || fail "client/web cannot be built"
RANDOM=${SEED:-7}
chaos_ends
export NODE_EXTRA_CA_CERTS=${PROXY_CA[nasty]}

SLEEPS="3 20 5 20" chaos_node all all 50000
chaos_restart
chaos_closed all
SLEEPS="3 20" chaos_node poll poll 25000
chaos_restart
chaos_closed poll
# Streams need a way that lets them begin to be used.
CHAOS=("lose_up=9 lose_down=9" "duplicate=3 late=4" "cut_bytes=100000 late=5" "cut_age=2 cut_how=rst lose_up=7" "cut_idle=2" "cut_age=1.5 duplicate=2" "")
SLEEPS="3 20" chaos_node stream stream 25000
chaos_restart
chaos_closed stream
grep -q "^all .*stream" "$W/stream.out" || fail "no stream was used: $(grep "^all" "$W/stream.out")"
chaos_chromium chromium all 15000
chaos_restart
chaos_closed chromium
chaos_chromium chromium-sse sse 15000
chaos_restart
chaos_closed chromium-sse
grep -q "^all .*sse" "$W/chromium-sse.out" || fail "no events were used: $(grep "^all" "$W/chromium-sse.out")"
check "$(chaos_lost)" ">=" 150 "requests and answers were lost"
