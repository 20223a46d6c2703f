#!/usr/bin/env bash
# What a page sees of a WebSocket in Chromium: some 300 cases with the browser's own and with the library's in each transport, the same results.
# seconds: 120
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/web/web.sh"
SITE=$(chromium_port)
setup_web "\"http://localhost:$SITE\", \"http://127.0.0.1:$SITE\""
timeout 110 $PYTHON "$WEB/cases.py" --profile "$W/profile" --at "ws://$BACKEND" --base "$BASE" --token "$BEARER" --trust "$W/server.crt" --port "$SITE" \
	--transports "${TRANSPORTS:-native,stream,sse,poll,installed,worker}" --json "$W/cases.json" ${ONLY:+--only "$ONLY"} >"$W/cases.out" 2>"$W/cases.err" || {
	cut -c1-600 "$W/cases.out"
	fail "cases differ"
}
cat "$W/cases.out"
rm -rf "$W/profile"
! grep -q "$BEARER" "$W/culvertd.err" || fail "a credential is in the log"
stop_expecting culvertd 0
