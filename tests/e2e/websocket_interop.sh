#!/usr/bin/env bash
# WebSocket engine and codec against python3-websockets (both roles) and Chromium: messages, fragments, pings, closes, subprotocols, compression offered, wrong frames.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
WSECHO=$TOOLS/wsecho OTHERS=$TOP/tests/tools/wsothers.py

all_ok() { # FILE NUMBER: so many lines "ok ..." and no "FAIL ..."
	! grep "^FAIL" "$1" >&2 && [ "$(grep -c "^ok " "$1")" -eq "$2" ] || fail "${1##*/}: $(cat "$1")"
}

launch wsecho "$WSECHO" serve "$TOP/tests/tools/wspage.html"
AT=$(ready wsecho tcp wsecho) || fail "no server"

note "their client, our server"
timeout 30 $PYTHON "$OTHERS" ask "$AT" >"$W/ask.out" 2>"$W/ask.err" || fail "python3-websockets against our server: $(cat "$W/ask.out" "$W/ask.err")"
all_ok "$W/ask.out" 12
# What the server was told when they closed.
for line in "/echo 3000 auf Wiedersehen" "/echo 1001 going ours 1001 error 0" "/close 4001 auf Wiedersehen" "/echo 1006  ours 1007 error 0"; do
	grep -q "^closed $line" "$W/wsecho.out" || fail "not told of: closed $line"
done

note "our client, their server"
launch others $PYTHON "$OTHERS" serve
THEIRS=$(ready others tcp wsothers) || fail "no server of theirs"
timeout 20 "$WSECHO" ask "$THEIRS" / >"$W/ours.out" 2>"$W/ours.err" || fail "our client against python3-websockets: $(cat "$W/ours.out" "$W/ours.err")"
all_ok "$W/ours.out" 10

note "our client, our server"
for path in /echo /fragments; do
	timeout 20 "$WSECHO" ask "$AT" $path >"$W/both.out" 2>"$W/both.err" || fail "our client against our server: $(cat "$W/both.out" "$W/both.err")"
	all_ok "$W/both.out" 10
done

note "a browser"
before=$(wc -l <"$W/wsecho.out")
HOME=$W launch chromium chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking \
	--no-proxy-server --user-data-dir="$W/profile" "http://$AT/"
await 40 grep -q "^done" "$W/wsecho.out" || fail "the browser did not report: $(tail -n +$((before + 1)) "$W/wsecho.out" | cut -c1-200) $(tail -n 3 "$W/chromium.err")"
tail -n +$((before + 1)) "$W/wsecho.out" | grep -a "^ok \|^FAIL " >"$W/browser.out"
all_ok "$W/browser.out" 10
stop chromium || :
rm -rf "$W/profile"
tail -n +$((before + 1)) "$W/wsecho.out" | grep -q "^closed /echo 3000 Gr" || fail "not told why the browser closed"
