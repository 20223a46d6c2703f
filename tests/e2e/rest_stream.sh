#!/usr/bin/env bash
# Signalling by REST, answers that go on: curl -N in HTTP/1.1 and HTTP/2, resumption, ends, what status tells, web servers in front.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
credentials_make
launch target $PYTHON "$TOP/tests/tools/wsservice.py" serve 0
TARGET=$(ready target tcp wsservice) || fail "no target"
cat >"$W/culvertd.conf" <<END
rest = true
rest-expire = 5
service sig { target = "ws://$TARGET/" }
END
SERVER_CLEAR=1 server_start culvertd -c "$W/culvertd.conf"
BEARER=$(head -n 1 "$W/token" | tr -d '\n' | base64 -w 0 | tr '+/' '-_' | tr -d =)
AT=https://localhost:$SERVER_PORT/culvert/v1
CA=$W/server.crt

rest() { # CURL-ARG...: Authorization and trust are there
	curl -sS --max-time 30 --cacert "$CA" -H "Authorization: Bearer $BEARER" "$@"
}
session() { # sets S, the resource
	S=$AT/$(head -c 16 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d =)/signal/sig
	rest -f -o /dev/null -X PUT "$S" || fail "no session at $S"
}
say() { # JSON: what POST says
	rest -f -H "Content-Type: application/json" -d "$1" "$S" >"$W/said" || fail "POST $1 at $S"
}
# An answer that goes on in the background, its events in $W/NAME.out, its head in $W/NAME.head.
stream() { # NAME QUERY CURL-ARG...
	local name=$1 query=$2
	shift 2
	rm -f "$W/$name.out" "$W/$name.fifo"
	mkfifo "$W/$name.fifo"
	launch "$name" $PYTHON "$TOP/tests/tools/ssestamps.py" "$W/$name.fifo"
	await 10 grep -q ready "$W/$name.out" || fail "no reader of streams"
	launch "$name.curl" curl -sS -N --cacert "$CA" -H "Authorization: Bearer $BEARER" -H "Accept: text/event-stream" -D "$W/$name.head" \
		-o "$W/$name.fifo" "$@" "$S$query"
}
has() { # NAME EVENT ID DATA: as JSON
	await 10 _has "$1" "$2 $3 $4" || fail "$1: no $2 $3 $4: $(cat "$W/$1.out")"
}
_has() {
	cut -d " " -f 2- "$W/$1.out" | grep -q -x -F -- "$2"
}
ends() { # NAME: the answer is whole
	local rc=0
	finish "$1.curl" 10 || rc=$?
	[ $rc -eq 0 ] || fail "$1 ended with $rc: $(cat "$W/$1.curl.err")"
	finish "$1" 5
}
apart() { # NAME: ms between the marks
	await 10 grep -q -s '"{\\"n\\":2' "$W/$1.out" || fail "$1: no marks: $(cat "$W/$1.out")"
	awk '$2 == "mark" { if (n++) print $1 - at; at = $1 }' "$W/$1.out"
}

# ---- HTTP/1.1, HTTP/2 and what is older ----
for version in --http1.1 --http2 --http1.0; do
	session
	stream a "?for=3&keepalive=1" $version
	ms=$(apart a)
	check "$ms" ">" 50 "ms between the marks, $version"
	for line in "content-type: text/event-stream" "cache-control: no-store, no-transform" "x-accel-buffering: no"; do
		grep -q -i "^$line" "$W/a.head" || fail "no $line: $(cat "$W/a.head")"
	done
	say '{"seq":1,"wait":0,"quiet":true,"messages":["one\n two\n", {"binary":"AAEC/w=="}, "c\rr", ""]}'
	has a text 1 '"one\n two\n"'
	has a binary 2 '"AAEC/w=="'
	has a json 3 '"\"c\\u000dr\""'
	has a text 4 '""'
	await 5 awk '$2 == ":" && $4 == 1 { n++ } END { exit n < 1 }' "$W/a.out" || fail "no keepalives: $(cat "$W/a.out")"
	ends a
	has a end 4 '"time"'
	stream a "" $version -H "Last-Event-ID: 2"	# as EventSource goes on
	has a json 3 '"\"c\\u000dr\""'
	! grep -q " binary " "$W/a.out" || fail "what the reader had came again: $(cat "$W/a.out")"
	stop a.curl
	finish a 5
	say '{"seq":5,"wait":0,"quiet":true,"messages":["while nobody reads", "close 4000 bye"]}'
	stream a "?after=3" $version
	has a text 5 '"while nobody reads"'
	has a close 6 '"[4000,\"bye\"]"'
	ends a
	has a end 6 '"closed"'
	[ "$(rest -o /dev/null -w '%{http_code}' "$S?after=6")" = 200 ] && [ "$(rest -o /dev/null -w '%{http_code}' "$S?after=6")" = 410 ] ||
		fail "the close was told, and the session goes on"
	note "$version: marks $ms ms apart"
done

# ---- as records ----
session
say '{"seq":1,"messages":["records"]}'
rest -N "$S?stream=1&for=1" -H "Accept: application/octet-stream" -o "$W/records" || fail "records: no clean end"
$PYTHON - "$W/records" <<'END' || fail "records are not as they should be: $(od -c "$W/records" | head -n 30)"
import json, sys
data, kinds = open(sys.argv[1], "rb").read(), []
while data:
    n = int.from_bytes(data[1:4], "big")
    kinds.append((data[0], json.loads(data[4:4 + n]) if data[0] >= 16 else data[4:4 + n].strip(b"\0")))
    data = data[4 + n:]
assert kinds[0][0] == 16 and kinds[0][1]["seq"] == 1 and kinds[0][1]["state"] == "open", kinds
assert [k for k, _ in kinds] == [16, 0, 17, 1, 17] and kinds[3][1] == b"records" and kinds[4][1]["ms"] >= 200, kinds
END

# ---- ends ----
session
LEFT=$S
stream left ""
apart left >"$W/ms"
stop left.curl
session
stream older ""
apart older >"$W/ms"
stream newer "" --http2
ends older
has older end - '"superseded"'
apart newer >"$W/ms"
say '{"seq":1,"quiet":true,"messages":["to the newer"]}'
has newer text 1 '"to the newer"'
sleep 6		# longer than rest-expire: who reads need not ask
[ "$(rest -o /dev/null -w '%{http_code}' "$LEFT")" = 410 ] || fail "a session lives on without its reader"
[ "$(rest -o /dev/null -w '%{http_code}' -X DELETE "$S")" = 204 ] || fail "the session did not last while it was read"
ends newer
has newer end 1 '"gone"'
session
[ "$(rest -o /dev/null -w '%{http_code}' -I "$S")" = 405 ] || fail "HEAD was answered otherwise"
[ "$(rest -o /dev/null -w '%{http_code}' -H "Accept: text/event-stream" -H "Last-Event-ID: -" "$S")" = 400 ] || fail "no number, and it was taken"
"$CULVERTD" status --json --admin "$W/culvertd.sock" >"$W/status" || fail "no status"
$PYTHON - "$W/status" <<'END' || fail "the status: $(cat "$W/status")"
import json, sys
s = json.load(open(sys.argv[1]))
r, n = s["rest"], s["counters"]
assert r["sessions"] == len(s["sessions"]) == 1 and s["sessions"][0]["rest"]["service"] == "sig" and r["waiting"] == 0, s["sessions"]
assert r["requests"]["GET"]["served"] >= 11 and r["requests"]["GET"]["refused"] >= 4 and r["requests"]["DELETE"]["served"] == 1, r
assert r["requests"]["other"] == {"served": 0, "refused": 1, "failed": 0, "left": 0}, r
assert n["rest_streams"] >= 11 and n["rest_resumed"] >= 6 and n["rest_superseded"] == 1 and n["rest_expired"] >= 1, n
assert n["rest_messages_in"] == n["rest_messages_out"] == 3 * 6 + 2 and n["rest_bytes_in"] > 100, n
END
"$CULVERTD" status --admin "$W/culvertd.sock" | grep -q "service sig by REST, open" || fail "the status tells nothing of sessions"
note "ends"

# ---- web servers in front ----
# What nginx does by itself is up to the answer's headers; where it is told not to heed them, and does not know better, it holds bodies back.
kinds="nginx-front nginx-front-stock nginx-front-deaf"
[ -n "${QUICK:-}" ] || kinds="$kinds haproxy-front haproxy-front-stock apache-front apache-front-stock nghttpx-front nghttpx-front-stock"
for kind in $kinds; do
	edit=
	[ $kind != nginx-front-deaf ] || edit='s/proxy_pass http.*/&\nproxy_ignore_headers X-Accel-Buffering;/'
	FRONT_EDIT=$edit proxy_start $kind ${kind/-deaf/-stock} "$SERVER_CLEAR_PORT"
	CA=${PROXY_CA[$kind]} AT=https://localhost:${PROXY_PORT[$kind]}/culvert/v1
	for version in --http1.1 --http2; do
		session
		[ $kind = nginx-front-deaf ] && stream front "?for=1" $version || stream front "" $version
		ms=$(apart front)
		if [ $kind = nginx-front-deaf ]; then
			check "$ms" "<" 50 "ms between the marks: $kind holds back"
		else
			check "$ms" ">" 50 "ms between the marks: $kind passes on"
			say '{"seq":1,"quiet":true,"messages":["through it"]}'
			has front text 1 '"through it"'
			rest -o /dev/null -X DELETE "$S" || fail "no DELETE"
		fi
		ends front
		note "$kind $version: marks $ms ms apart"
	done
	proxy_stop $kind
done
CA=$W/server.crt AT=https://localhost:$SERVER_PORT/culvert/v1

# ---- the end of the server ----
session
stream last ""
apart last >"$W/ms"
stop culvertd
ends last
has last end - '"stopping"'
