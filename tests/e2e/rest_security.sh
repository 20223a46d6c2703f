#!/usr/bin/env bash
# Signalling by REST, who may: pages of other origins, cookies, content types, forged JWTs, tickets, wrong credentials; reload; secrets stay out of logs.
# seconds: 120
. "$(dirname "$0")/e2e.sh"
credentials_make
"$CULVERTD" gen-token page >>"$W/token" && "$CULVERTD" gen-token other >>"$W/token" || fail "gen-token"
launch target $PYTHON "$TOP/tests/tools/wsservice.py" serve 0
TARGET=$(ready target tcp wsservice) || fail "no target"
cat >"$W/website.py" <<'PYTHON'
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("ready tcp 127.0.0.1:%d website" % server.server_address[1], flush=True)
server.serve_forever()
PYTHON
launch website $PYTHON "$W/website.py"
WEBSITE=$(ready website tcp website) || fail "no website"
write_config() { # ORIGIN...
	printf 'rest = true\nfallback = "http://%s"\nmax-sessions = 2000\nmax-sessions-per-identity = 2000\norigins = { %s }\nservice sig { target = "ws://%s/" }\n' \
		"$WEBSITE" "$(printf '"%s", ' "$@" | sed 's/, $//')" "$TARGET" >"$W/culvertd.conf"
}
write_config https://app.example http://localhost:3000
LOG_LEVEL=debug SERVER_PLAIN=1 server_start culvertd -c "$W/culvertd.conf"
AT=https://localhost:$SERVER_PORT/culvert/v1

# ---- attacks ----
timeout 90 $PYTHON "$TOP/tests/tools/restattack.py" "$SERVER_PORT" "$W/server.crt" "$W/token" "$W/server.key" "$W/sent" >"$W/attacks" 2>"$W/attacks.err" ||
	fail "what nobody may do: $(head -n 20 "$W/attacks.err")"
note "attacks: $(cat "$W/attacks")"
check "$(json "$W/attacks" cases)" ">=" 600 "cases"

# ---- a JWT of culvertd's own, over HTTP/1.1 and HTTP/2 ----
JWT=$("$CULVERTD" jwt --token-file "$W/token" --identity page --service sig --expires 60) || fail "culvertd jwt"
echo "$JWT" >>"$W/sent"
echo "Authorization: Bearer $JWT" >"$W/bearer"
ask() { # STATUS METHOD PATH [CURL-ARG...]: with the JWT, which curl reads from a file
	local want=$1 method=$2 path=$3 status
	shift 3
	status=$(curl -sS --max-time 30 --cacert "$W/server.crt" -X "$method" -H @"$W/bearer" -o "$W/answer" -w '%{http_code}' "$@" "$AT/$path") ||
		fail "$method $path: curl failed"
	[ "$status" = "$want" ] || fail "$method $path: $status, not $want: $(cat "$W/answer")"
}
sid() {
	head -c 16 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d =
}
for version in --http1.1 --http2; do
	S=$(sid)/signal/sig
	ask 201 PUT "$S" $version
	ask 403 PUT "$(sid)/signal/other" $version
	ask 200 POST "$S/ticket" $version -H "Origin: https://app.example"
	TICKET=$(json "$W/answer" ticket)
	echo "$TICKET" >>"$W/sent"
	status=$(curl -sS --cacert "$W/server.crt" $version -H "Origin: https://app.example" -o "$W/answer" -w '%{http_code}' "$AT/$S?ticket=$TICKET")
	[ "$status" = 204 ] || fail "the ticket: $status $(cat "$W/answer")"
	# Where REST is not served the URL is logged, without it; and the website gets what is not ours.
	curl -sS -o /dev/null "http://127.0.0.1:$SERVER_HTTP_PORT/culvert/v2/x?a=b&ticket=hidden-value&c=d" || fail "no answer without TLS"
	curl -sS --cacert "$W/server.crt" -o /dev/null "https://localhost:$SERVER_PORT/culvert/v1/x?ticket=hidden-value" || fail "no answer of the website"
done
expect culvertd 5 '\?ticket=: below the base path, but not a request of a helper'

# ---- reload: the next request is judged by what is there then ----
A=$S
B=$(sid)/signal/sig
ask 201 PUT "$B"
(status=$(curl -sS --cacert "$W/server.crt" -H @"$W/bearer" -o "$W/held" -w '%{http_code}' "$AT/$A?wait=4") && [ "$status" = 204 ]) &
held=$!
sleep 0.5
sed -i '/^page:/d' "$W/token"
write_config https://new.example
kill -HUP "$(cat "$W/culvertd.pid")"
expect culvertd 5 'were read again'
ask 401 GET "$B"
ask 401 PUT "$(sid)/signal/sig"
curl -sS --cacert "$W/server.crt" -o "$W/answer" "$AT/$A?ticket=$TICKET" -H "Origin: https://new.example" && grep -q credential "$W/answer" || fail "the ticket of who is gone: $(cat "$W/answer")"
wait $held || fail "what was held at the reload did not end as usual"
"$CULVERTD" jwt --token-file "$W/token" --identity other >"$W/other.jwt" && echo "Authorization: Bearer $(cat "$W/other.jwt")" >"$W/bearer" || fail "culvertd jwt"
cat "$W/other.jwt" >>"$W/sent"
ask 201 PUT "$(sid)/signal/sig"
ask 403 PUT "$(sid)/signal/sig" -H "Origin: https://app.example"
ask 201 PUT "$(sid)/signal/sig" -H "Origin: https://new.example"
echo "origins = { \"*\" }" >>"$W/culvertd.conf"
kill -HUP "$(cat "$W/culvertd.pid")"
expect culvertd 5 'nothing was changed: .*origin'
ask 201 PUT "$(sid)/signal/sig" -H "Origin: https://new.example"

# ---- nothing of it anywhere ----
"$CULVERTD" status --admin "$W/culvertd.sock" >"$W/status.out" && "$CULVERTD" status --json --admin "$W/culvertd.sock" >>"$W/status.out" || fail "no status"
tr '\0' '\n' <"/proc/${PID[culvertd]}/cmdline" >"$W/cmdline.out"
{
	sed 's/^[^:]*://' "$W/token"
	awk 'length($0) >= 20' "$W/sent"
	sed -n 's/^.*\.\([A-Za-z0-9_-]\{20,\}\)$/\1/p' "$W/sent" # signatures alone
	echo hidden-value
} | sort -u >"$W/secrets"
check "$(wc -l <"$W/secrets")" ">" 100 "secrets to look for"
for file in culvertd.err culvertd.out target.err target.out status.out cmdline.out; do
	! found=$(grep -n -F -f "$W/secrets" "$W/$file") || fail "a secret in $file: $found"
done
grep -q "ticket=hidden-value" "$W/website.err" || fail "the website did not get what is not ours: $(cat "$W/website.err")"
grep -v hidden-value "$W/secrets" >"$W/ours"
! found=$(grep -n -F -f "$W/ours" "$W/website.err") || fail "a secret at the website: $found"
stop_expecting culvertd 0
