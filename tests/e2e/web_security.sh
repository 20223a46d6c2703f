#!/usr/bin/env bash
# What pages in Chromium may do by REST: one that is configured, others, frames without an origin; EventSource with tickets; JWTs that end under way.
# seconds: 120
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/web/web.sh"
credentials_make
SITE=$(chromium_port) OTHER=$(chromium_port) SERVER_PORT=$(chromium_port)
launch target $PYTHON "$TOP/tests/tools/wsservice.py" serve 0
TARGET=$(ready target tcp wsservice) || fail "no target"
[ -s "$LIBRARY/culvert-web.umd.js" ] || make -s -C "$TOP" web >"$W/web.err" 2>&1 || fail "the library cannot be built: $(cat "$W/web.err")"
printf 'rest = true\norigins = { "http://localhost:%s", "https://localhost:%s" }\nfallback = "http://127.0.0.1:%s"\nservice sig { target = "ws://%s/" }\n' \
	"$SITE" "$SERVER_PORT" "$SITE" "$TARGET" >"$W/culvertd.conf"
LOG_LEVEL=debug server_start culvertd -c "$W/culvertd.conf"
timeout 110 $PYTHON "$WEB/security.py" --profile "$W/profile" --server "https://localhost:$SERVER_PORT" --port "$SITE" --other "$OTHER" --trust "$W/server.crt" \
	--jwt "$CULVERTD jwt --token-file $W/token --service sig --expires" --library "$LIBRARY" >"$W/security.out" 2>"$W/security.err" ||
	fail "pages: $(tail -n 20 "$W/security.err")"
rm -rf "$W/profile"
! grep -n -F "$(sed 's/.*://' "$W/token")" "$W/culvertd.err" || fail "a token is in the log"
! grep -n -E 'ticket=.|eyJ' "$W/culvertd.err" || fail "a ticket or a JWT is in the log"
stop_expecting culvertd 0
