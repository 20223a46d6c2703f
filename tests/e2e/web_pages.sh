#!/usr/bin/env bash
# The library in pages of all kinds: strict CSP, workers, frames without cookies, install(), sleep, no network, back/forward, six tabs, restart.
# seconds: 120
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/web/web.sh"
HTTP=$(chromium_port) HTTPS=$(chromium_port) OTHER=$(chromium_port) SERVER_PORT=$(chromium_port)
# The web server behind the gateway's own origin.
launch website $PYTHON "$WEB/website.py" --root "pages=$WEB/pages" --root "dist=$LIBRARY"
WEBSITE=$(ready website tcp website) || fail "no website"
setup_web "\"http://localhost:$HTTP\", \"https://app.example:$HTTPS\", \"https://localhost:$SERVER_PORT\"" --fallback "http://$WEBSITE"
try() { # NAME...
	timeout 100 $PYTHON "$WEB/pages.py" --dir "$W" --base "$BASE" --token "$BEARER" --cert "$W/server.crt" --key "$W/server.key" --ports "$HTTP,$HTTPS,$OTHER" \
		--culvertd "$CULVERTD" --admin "$W/culvertd.sock" "$@"
}
say() {
	cat "$W"/*.said
}
try ${ONLY:-pages csp_forbids workers third_party} >"$W/one.said" 2>&1 &
one=$!
[ -n "${ONLY:-}" ] || try tabs starving >"$W/three.said" 2>&1 || fail "$(say)"
wait $one || fail "$(say)"
[ -n "${ONLY:-}" ] || try install sleeping offline back >"$W/two.said" 2>&1 || fail "$(say)"

note "restart"
if [ -z "${ONLY:-}" ]; then
	try restart >"$W/four.said" 2>&1 &
	four=$!
	await 30 test -e "$W/opened" || fail "$(say)"
	stop culvertd
	server_start culvertd -c "$W/culvertd.conf" --fallback "http://$WEBSITE"
	wait $four || fail "$(say)"
fi
say
! grep -q "$BEARER" "$W/culvertd.err" || fail "a credential is in the log"
rm -rf "$W"/profile-*
