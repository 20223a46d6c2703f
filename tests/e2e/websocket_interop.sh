#!/usr/bin/env bash
# WebSockets over HTTP/1.1 and HTTP/2 against python3-websockets, python3-h2 and Chromium: messages, fragments, pings, closes, subprotocols, compression offered, wrong frames.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
WSECHO=$TOOLS/wsecho

all_ok() { # FILE NUMBER: so many lines "ok ..." and no "FAIL ..."
	! grep "^FAIL" "$1" >&2 && [ "$(grep -c "^ok " "$1")" -eq "$2" ] || fail "${1##*/}: $(cat "$1")"
}

credentials_make
launch wsecho "$WSECHO" serve "$TOP/tests/tools/wspage.html" "$W/server.crt" "$W/server.key"
AT=$(ready wsecho tcp wsecho) && COVERED=$(ready wsecho tls wsecho) || fail "no server"

note "their clients, our server"
for with in "wsothers 12" "wsothers_h2 7"; do
	set -- $with
	timeout 30 $PYTHON "$TOP/tests/tools/$1.py" ask "$AT" >"$W/$1.out" 2>"$W/$1.err" || fail "$1 against our server: $(cat "$W/$1.out" "$W/$1.err")"
	all_ok "$W/$1.out" "$2"
done
# What the server was told when they closed.
for line in "/echo 3000 auf Wiedersehen" "/echo 1001 going ours 1001 error 0" "/close 4001 auf Wiedersehen" "/echo 1006  ours 1007 error 0" \
	"/echo 4001 bye ours 4001 error 0" "/close 4001 bye ours 4001 error 0"; do
	grep -q "^closed $line" "$W/wsecho.out" || fail "not told of: closed $line"
done

note "our client, their servers"
launch theirs $PYTHON "$TOP/tests/tools/wsothers.py" serve
launch theirs-h2 $PYTHON "$TOP/tests/tools/wsothers_h2.py" serve
we_ask() { # ask|ask-h2 ADDR:PORT PATH
	timeout 20 "$WSECHO" "$@" >"$W/ours.out" 2>"$W/ours.err" || fail "our client, $*: $(cat "$W/ours.out" "$W/ours.err")"
	all_ok "$W/ours.out" 10
}
we_ask ask "$(ready theirs tcp wsothers)" /
we_ask ask-h2 "$(ready theirs-h2 tcp wsothers-h2)" /

note "our client, our server"
for path in /echo /fragments; do
	we_ask ask "$AT" $path
	we_ask ask-h2 "$AT" $path
done

# The page of wsecho reports to it. With TLS the browser speaks HTTP/2, and opens WebSockets on the connection that the page came by.
browser() { # URL HTTP-VERSION
	local before
	note "a browser, HTTP/$2"
	before=$(wc -l <"$W/wsecho.out")
	launch chromium $PYTHON "$TOP/tests/web/browser.py" --insecure --seconds 45 "$W/profile" "$1"
	reported() { tail -n +$((before + 1)) "$W/wsecho.out"; }
	ended() { reported | grep -q "^done"; }
	await 25 ended || fail "the browser did not report: $(reported | cut -c1-200) $(tail -n 3 "$W/chromium.out")"
	reported | grep -a "^ok \|^FAIL " >"$W/browser.out"
	all_ok "$W/browser.out" 10
	reported | grep -q "^closed /echo 3000 Gr" || fail "not told why the browser closed"
	[ "$(reported | grep "^opened " | awk '{print $3}' | sort -u)" = "$2" ] || fail "not by HTTP/$2: $(reported | grep "^opened ")"
	stop chromium || :
	rm -rf "$W/profile"
}
browser "http://$AT/" 1.1
browser "https://$COVERED/" 2
