#!/usr/bin/env bash
# Janus' own janus.js, JsSIP and SIP.js in Chromium through two proxies that their WebSockets do not pass, and with CulvertSocket they do.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
make -C "$TOP" --no-print-directory web-real-pages >"$W/pages.log" 2>&1 || fail "no pages: $(tail -n 5 "$W/pages.log")"
TMPDIR=$W "$TOP/tests/web/real/real.sh" -o "$W/real.json" squid-bump storefwd || fail "a row is not as it should be"
