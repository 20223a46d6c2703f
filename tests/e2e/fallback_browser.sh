#!/usr/bin/env bash
# A browser at a website behind culvertd, by HTTP/2: a long POST, events, a WebSocket, many requests at once; and a helper on the same port.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
credentials_make
targets_start
launch odd $PYTHON "$TOP/tests/tools/oddsite.py" --page "$TOP/tests/tools/oddpage.html"
ODD=$(ready odd tcp site) || fail "no website: $(cat "$W/odd.err")"
server_start culvertd --service "udp=udp://$UDP_TARGET" --service "sig=tcp://$TCP_TARGET" --fallback "http://$ODD"
helper_echo helper
passes 10 || fail "nothing passes"

launch chromium $PYTHON "$TOP/tests/web/browser.py" --insecure --seconds 45 "$W/profile" "https://localhost:$SERVER_PORT/page"
ended() { grep -q "^done" "$W/odd.out"; }
await 40 ended || fail "the browser did not report: $(cat "$W/odd.out") $(tail -n 3 "$W/chromium.out")"
! grep "^FAIL" "$W/odd.out" || fail "$(cat "$W/odd.out")"
[ "$(grep -c "^ok " "$W/odd.out")" -eq 8 ] || fail "$(cat "$W/odd.out")"
grep -q "^spoken h2$" "$W/odd.out" || fail "$(cat "$W/odd.out")"
passes 5 || fail "nothing passes beside the browser"
stop chromium || :
rm -rf "$W/profile"
stop_expecting culvertd 0
