#!/usr/bin/env bash
# The library in pages of all kinds: http://localhost and https, strict CSP, workers, frames without cookies, install() in an unmodified page, a server that restarts.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/web/web.sh"
setup_pages
pages_try ${ONLY:-pages csp_forbids workers third_party install example}
[ -z "${ONLY:-}" ] || exit 0

note "restart"
pages_try restart &
restarted=$!
await 30 test -e "$W/opened" || fail "no page"
stop culvertd
server_start culvertd -c "$W/culvertd.conf" --fallback "http://$WEBSITE"
wait $restarted || fail "the pages do not say what happened"
! grep -q "$BEARER" "$W/culvertd.err" || fail "a credential is in the log"
rm -rf "$W"/profile-*
