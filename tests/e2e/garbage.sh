#!/usr/bin/env bash
# Garbage at the server's port: plain HTTP, random bytes, half a handshake, HTTP that is none; all the same cover, and others never notice.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
setup_echo
helper_echo helper
passes 10 || fail "nothing passes"
at=127.0.0.1:$SERVER_PORT
tls() { timeout 5 openssl s_client -quiet -ign_eof -connect "$at" -CAfile "$SERVER_CERT" 2>/dev/null; }

curl -s -m 5 "http://$at/" >"$W/plain" 2>/dev/null
expect culvertd 5 "sent plain HTTP to the TLS port"
for i in 1 2 3 4 5; do
	(head -c 20000 /dev/urandom >"/dev/tcp/127.0.0.1/$SERVER_PORT") 2>/dev/null
done
exec 6<>"/dev/tcp/127.0.0.1/$SERVER_PORT" && printf '\x16\x03\x01\x02\x00\x01' >&6 # and nothing more
head -c 50000 /dev/urandom | tls >"$W/garbage.answer"
printf 'GET / HTTP/1.1\r\nno colon here\r\n\r\n' | tls >"$W/head.answer"
{ printf 'GET / HTTP/1.1\r\nHost: x\r\n'; for i in {1..2000}; do printf 'X-%d: %080d\r\n' $i $i; done; printf '\r\n'; } | tls >"$W/long.answer"
expect culvertd 5 "not an HTTP/1.1 request"

# One cover for every cause: nothing tells a stranger what is here.
cover() { # NAME CURL-ARG...
	local name=$1
	shift
	curl -s -m 5 --cacert "$SERVER_CERT" -o "$W/$name.cover" -w '%{http_code}\n' "$@" >"$W/$name.code"
	cmp -s "$W/$name.cover" "$W/root.cover" && cmp -s "$W/$name.code" "$W/root.code" || fail "$name is answered otherwise than /"
}
sid=AAAAAAAAAAAAAAAAAAAAAA
here=https://localhost:$SERVER_PORT
cover root "$here/"
[ "$(cat "$W/root.code")" = 404 ] || fail "the cover is $(cat "$W/root.code")"
cover base "$here/culvert/v1/$sid?c=0&x=0&m=hello"
cover post -X POST --data-binary abc "$here/culvert/v1/$sid?c=0&x=0&m=hello"
cover auth -X POST -H "Authorization: Culvert id=tester, ts=$(date +%s), mac=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" "$here/culvert/v1/$sid?c=0&x=0&m=hello"
cover nobody -X POST -H "Authorization: Culvert id=nobody, ts=$(date +%s), mac=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" "$here/culvert/v1/$sid?c=0&x=0&m=poll"
cover malformed -X POST -H "Authorization: Culvert id=tester" "$here/culvert/v1/short?m=up"
[ "$(curl -s -m 5 --cacert "$SERVER_CERT" -o /dev/null -w '%{http_code}' "$here/healthz")" = 200 ] || fail "/healthz is not 200"

passes 5 || fail "the helper's datagrams do not pass any more"
signalling check "$SIG" --bytes 100000 || fail "the helper's stream suffers"
[ "$(grep -c "connected to" "$W/helper.err")" -eq 1 ] || fail "the helper had to connect again"
stop_expecting helper 0
stop_expecting culvertd 0
