#!/usr/bin/env bash
# HTTP/2 as culvertd speaks it, to nghttp, curl and python3-h2, and case by case as RFC 9113 demands; what ALPN agrees to.
# seconds: 200
. "$(dirname "$0")/e2e.sh"
setup_echo --listen-clear 127.0.0.1:0
CLEAR=$(ready culvertd clear culvertd) || fail "no clear listener"
TLS=127.0.0.1:$SERVER_PORT HERE=https://localhost:$SERVER_PORT

# ALPN: the client's order counts.
agreed() { # OFFER WANTED
	local got
	got=$(openssl s_client -connect "$TLS" -CAfile "$SERVER_CERT" ${1:+-alpn "$1"} </dev/null 2>/dev/null | sed -n 's/^ALPN protocol: //p')
	[ "$got" = "$2" ] || fail "offered '$1', agreed to '$got', not '$2'"
}
agreed h2,http/1.1 h2
agreed http/1.1,h2 http/1.1
agreed h2 h2
agreed http/1.1 http/1.1
agreed "" ""

# nghttp: by ALPN, and by prior knowledge.
heard() { # FILE PATTERN
	grep -q -E -- "$2" "$W/$1" || fail "nghttp, $1: no '$2' in $(cat "$W/$1")"
}
timeout 10 nghttp -nv "$HERE/healthz" "$HERE/" >"$W/nghttp.tls" 2>&1 || fail "nghttp: $(tail -n 3 "$W/nghttp.tls")"
timeout 10 nghttp -nv "http://$CLEAR/healthz" "http://$CLEAR/" >"$W/nghttp.clear" 2>&1 || fail "nghttp, clear: $(tail -n 3 "$W/nghttp.clear")"
heard nghttp.tls "The negotiated protocol: h2"
for how in nghttp.tls nghttp.clear; do
	heard $how "recv SETTINGS frame <length=[0-9]*, flags=0x00"
	heard $how "recv SETTINGS frame <length=0, flags=0x01"
	heard $how "SETTINGS_MAX_CONCURRENT_STREAMS\(0x03\):100"
	heard $how "SETTINGS_ENABLE_CONNECT_PROTOCOL\(0x08\):1"
	heard $how ":status: 200"
	heard $how ":status: 404"
done
timeout 10 nghttp -v -m 50 -W 14 -w 14 "$HERE/healthz" >"$W/nghttp.many" 2>&1 || fail "nghttp -m 50"
[ "$(grep -c ":status: 200" "$W/nghttp.many")" -eq 50 ] || fail "nghttp -m 50: not all answered"

# curl: the same answer whatever the version.
asked() { # NAME WANTED CURL-ARG...
	local name=$1 wanted=$2
	shift 2
	curl -s -m 10 --cacert "$SERVER_CERT" -o "$W/$name.body" -w '%{http_version} %{http_code}' "$@" >"$W/$name.code" || fail "curl, $name: status $?"
	[ "$(cat "$W/$name.code")" = "$wanted" ] || fail "curl, $name: $(cat "$W/$name.code"), not $wanted"
}
asked h1 "1.1 404" --http1.1 "$HERE/nothing"
asked h2 "2 404" --http2 "$HERE/nothing"
cmp "$W/h1.body" "$W/h2.body" || fail "another cover by HTTP/2"
asked prior "2 404" --http2-prior-knowledge "http://$CLEAR/nothing"
cmp "$W/h1.body" "$W/prior.body" || fail "another cover by prior knowledge"
asked upgrade "1.1 200" --http2 "http://$CLEAR/healthz" # Upgrade: h2c is history
asked head "2 200" --http2 -I "$HERE/healthz"
head -c 100000 /dev/urandom >"$W/body"
asked post "2 404" --http2 --data-binary "@$W/body" "$HERE/nothing"
asked expect "2 404" --http2 -H "Expect: 100-continue" --data-binary "@$W/body" "$HERE/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA?c=0&x=0&m=hello"
asked large "2 200" --http2 -H "X-Large: $(printf 'a%.0s' {1..7000})" "$HERE/healthz"
asked larger "2 404" --http2 -H "X-Large: $(printf 'a%.0s' {1..20000})" "$HERE/healthz" # as with HTTP/1.1: it cannot be understood

$PYTHON "$TOP/tests/tools/h2client.py" "$TLS" --cafile "$SERVER_CERT" >"$W/h2client" 2>&1 || fail "python3-h2: $(tail -n 2 "$W/h2client")"
$PYTHON "$TOP/tests/tools/h2client.py" "$CLEAR" >"$W/h2client.clear" 2>&1 || fail "python3-h2, clear: $(tail -n 2 "$W/h2client.clear")"
for how in "$TLS --cafile $SERVER_CERT" "$CLEAR"; do
	$PYTHON "$TOP/tests/tools/h2cases.py" $how >"$W/cases" 2>&1 || fail "cases of RFC 9113 ($how): $(grep -v '^  ok' "$W/cases")"
	note "$(tail -n 1 "$W/cases")"
done
stop_expecting culvertd 0
