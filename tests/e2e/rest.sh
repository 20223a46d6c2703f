#!/usr/bin/env bash
# Signalling by REST: a whole life with curl against a WebSocket server, what is wrong, ends, reload and restart, 2,000 parked polls.
# seconds: 120
# alone
. "$(dirname "$0")/e2e.sh"
credentials_make
launch target $PYTHON "$TOP/tests/tools/wsservice.py" serve 0
TARGET=$(ready target tcp wsservice) || fail "no target"
cat >"$W/culvertd.conf" <<END
rest = true
rest-expire = 5
origins = { "https://app.example" }
max-sessions = 3000
max-sessions-per-identity = 3000
max-connections = 8000
max-connections-per-address = 8000
service sig { target = "ws://$TARGET/janus" }
service nothing { target = "ws://127.0.0.1:1/" }
END
ulimit -n 20000 2>/dev/null
server_start culvertd -c "$W/culvertd.conf"
BEARER=$(head -n 1 "$W/token" | tr -d '\n' | base64 -w 0 | tr '+/' '-_' | tr -d =)
AT=https://localhost:$SERVER_PORT/culvert/v1

# One request; the answer is in $W/answer, its head in $W/answer.head; A: another name.
ask() { # STATUS METHOD PATH [CURL-ARG...]
	local want=$1 method=$2 path=$3 status
	shift 3
	status=$(curl -sS --max-time 30 --cacert "$W/server.crt" -X "$method" -H "Authorization: Bearer $BEARER" -D "$W/${A:-answer}.head" -o "$W/${A:-answer}" \
		-w '%{http_code}' "$@" "$AT/$path") || fail "$method $path: curl failed"
	[ "$status" = "$want" ] || fail "$method $path: $status, not $want: $(cat "$W/${A:-answer}")"
}
post() { # STATUS PATH BODY [CURL-ARG...]
	local want=$1 path=$2 body=$3
	shift 3
	ask "$want" POST "$path" -H "Content-Type: application/json" -d "$body" "$@"
}
says() { # EXPRESSION over a, the answer
	$PYTHON -c 'import json, sys; a = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$W/answer" "$1" ||
		fail "not $1: $(cat "$W/answer")"
}
sid() { # a new one
	head -c 16 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d =
}

# ---- a whole life, in HTTP/1.1 and HTTP/2 ----
for version in --http1.1 --http2; do
	S=$(sid)/signal/sig
	ask 201 PUT "$S" $version -H "Content-Type: application/json" -d '{"protocols":["janus-protocol","x"]}'
	says 'a["protocol"] == "janus-protocol" and a["state"] == "open" and a["hold"] == 20 and a["expires"] == 5'
	ask 200 PUT "$S" $version
	post 200 "$S" '{"seq":1,"wait":5,"messages":["h\u00e9llo"]}' $version
	says 'a["taken"] == 1 and a["seq"] == 1 and a["messages"] == ["h\u00e9llo"]'
	post 200 "$S" '{"seq":1,"after":1,"messages":["h\u00e9llo"]}' $version # a copy of it
	post 200 "$S" '{"seq":3,"after":1,"messages":["third"]}' $version
	says 'a["taken"] == 1 and a["messages"] == []'
	post 200 "$S" '{"seq":2,"after":1,"wait":5,"messages":[{"binary":"AAEC/w=="}]}' $version
	ask 200 GET "$S?after=2&wait=5" $version
	says 'a["seq"] == 3 and a["messages"] == ["third"]'
	ask 204 GET "$S?after=3" $version
	post 409 "$S" '{"after":9}' $version
	post 200 "$S" '{"seq":4,"after":3,"wait":5,"messages":["close 4001 so"]}' $version
	says 'a["messages"] == [{"close": [4001, "so"]}] and a["state"] == "closed"'
	post 200 "$S" '{"after":4}' $version
	post 410 "$S" '{"after":4}' $version
	says 'a["code"] == "gone" and a["status"] == 410'
	grep -q -i "^content-type: application/problem+json" "$W/answer.head" || fail "no problem: $(cat "$W/answer.head")"
done
note "a whole life"

# ---- long messages, and a target that dies ----
S=$(sid)/signal/sig
ask 201 PUT "$S"
$PYTHON -c 'import json; print(json.dumps({"seq": 1, "wait": 20, "messages": ["x" * 900000]}))' >"$W/long"
post 200 "$S" @"$W/long"
says 'a["messages"] == ["x" * 900000]'
post 200 "$S" '{"seq":2,"after":1,"wait":5,"messages":["die"]}'
says 'a["messages"][0]["close"][0] == 1006'
$PYTHON -c 'import json; print(json.dumps({"seq": 1, "messages": ["x" * 1100000]}))' >"$W/long"
S=$(sid)/signal/sig
ask 201 PUT "$S"
post 413 "$S" @"$W/long"

# ---- what is wrong ----
ask 502 PUT "$(sid)/signal/nothing"
ask 404 PUT "$(sid)/signal/other"
ask 404 GET "$(sid)/signal/sig"
BEARER=AAAA ask 401 GET "$S"
ask 415 POST "$S" -d '{}'
ask 409 PUT "${S%/sig}/nothing"
ask 403 PUT "$S" -H "Origin: https://evil.example"
ask 204 OPTIONS "$S" -H "Origin: https://app.example"
grep -q -i "^access-control-allow-origin: https://app.example" "$W/answer.head" || fail "no CORS: $(cat "$W/answer.head")"
grep -q -i "^access-control-max-age: 7200" "$W/answer.head" || fail "no CORS: $(cat "$W/answer.head")"
ask 405 PATCH "$S"
note "errors"

# ---- a waiting request: the newer wins, the target wakes it, DELETE ends it ----
A=older ask 204 GET "$S?wait=20" &
older=$!
sleep 0.5
post 200 "$S" '{"seq":1,"wait":20,"messages":["both"]}'
says 'a["messages"] == ["both"]'
wait $older || fail "the older one was not answered with 204"
A=held ask 410 GET "$S?after=1&wait=20" &
held=$!
sleep 0.5
curl -sS --cacert "$W/server.crt" -X DELETE -H "Authorization: Bearer $BEARER" -o /dev/null "$AT/$S" || fail "no DELETE"
wait $held || fail "the end was not told"
await 5 grep -q "^closed" "$W/target.out" || fail "the target was not closed"

# ---- expiry, reload, restart ----
S=$(sid)/signal/sig
T=$(sid)/signal/sig
ask 201 PUT "$S"
ask 201 PUT "$T"
kill -HUP "$(cat "$W/culvertd.pid")"
await 5 grep -q "services were read again" "$W/culvertd.err" || fail "no reload"
post 200 "$S" '{"seq":1,"wait":5,"messages":["after the reload"]}'
says 'a["messages"] == ["after the reload"]'
for i in 1 2 3; do ask 204 GET "$S?after=1&wait=2"; done
ask 410 GET "$T"
stop culvertd
server_start culvertd -c "$W/culvertd.conf" --rest-expire 330
ask 404 GET "$S"
says 'a["code"] == "session"'
note "ends"

# ---- many that wait ----
$PYTHON "$TOP/tests/tools/restpark.py" park "$SERVER_PORT" "$W/server.crt" "$BEARER" "${POLLS:-2000}" "$(cat "$W/culvertd.pid")" sig >"$W/parked" ||
	fail "parking failed"
note "parked: $(cat "$W/parked")"
if culvertd_is_plain; then
	check "$(json "$W/parked" kib_each)" "<" 40 "KiB for each parked poll"
	check "$(json "$W/parked" cpu_percent)" "<" 2 "% CPU"
fi
check "$(json "$W/parked" woken)" == 50 "polls woken"
! grep -q "$BEARER" "$W/culvertd.err" || fail "a credential is in the log"
