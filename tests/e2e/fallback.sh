#!/usr/bin/env bash
# One port for the operator's website and for Culvert: nginx and an odd site behind culvertd, over both versions of HTTP, while a helper works.
# seconds: 150
. "$(dirname "$0")/e2e.sh"
credentials_make
targets_start
MB=100
MEMORY=16384 # KiB that bodies may cost, whatever their length
case $BUILD in *address*) MEMORY=300000 ;; esac # freed memory is kept there to find its use

# ---- the websites ----

SITE_PORT=$(free_port)
mkdir -p "$W/site/www/put" "$W/site/tmp"
echo "hello from nginx" >"$W/site/www/index.html"
head -c $((MB * 1000000)) /dev/urandom >"$W/site/www/big"
cat >"$W/site/nginx.conf" <<END
daemon off; worker_processes 1; pid $W/site/nginx.pid; error_log stderr warn;
events { }
http {
	access_log $W/site/access.log; client_body_temp_path $W/site/tmp; client_max_body_size 1g;
	proxy_temp_path $W/site/tmp; fastcgi_temp_path $W/site/tmp; uwsgi_temp_path $W/site/tmp; scgi_temp_path $W/site/tmp;
	server {
		listen 127.0.0.1:$SITE_PORT;
		listen unix:$W/site/nginx.sock;
		root $W/site/www;
		location /put/ { dav_methods PUT; }
		location = /healthz { return 200 "the website is well\n"; }
		location = /who { return 200 "\$http_x_forwarded_for \$http_x_forwarded_proto \$http_x_forwarded_host \$host \$http_via\n"; }
	}
}
END
[ "$(id -u)" -ne 0 ] || chown -R nobody "$W/site"
site_start() { # NAME
	rm -f "$W/site/nginx.sock"
	AS=nobody launch "$1" nginx -p "$W/site" -e stderr -c "$W/site/nginx.conf"
	await 10 curl -s -o /dev/null "http://127.0.0.1:$SITE_PORT/" || fail "no nginx: $(cat "$W/$1.err")"
}
site_start nginx
launch odd $PYTHON "$TOP/tests/tools/oddsite.py" --unix "$W/odd.sock"
ODD=$(ready odd tcp site) || fail "no odd site: $(cat "$W/odd.err")"

SERVER_PLAIN=1 SERVER_CLEAR=1 server_start culvertd --service "udp=udp://$UDP_TARGET" --service "sig=tcp://$TCP_TARGET" --fallback "http://127.0.0.1:$SITE_PORT"
MAIN_PORT=$SERVER_PORT URL=https://localhost:$SERVER_PORT
SERVER_PORT=
server_start odd-front --service "udp=udp://$UDP_TARGET" --fallback "http://$ODD"
ODD_URL=https://localhost:$SERVER_PORT
SERVER_PORT=$MAIN_PORT

get() { # CURL-ARG...: the body; SAID is $W/said: status and version
	rm -f "$W/body"
	curl -sS -m 30 --cacert "$W/server.crt" -o "$W/body" -w '%{http_code} %{http_version}' "$@" >"$W/said" 2>"$W/curl.err" || return
	[ ! -f "$W/body" ] || cat "$W/body"
}
is() { # EXPECTED CURL-ARG...: first line, status, version
	local want=$1 page
	shift
	page=$(get "$@") || fail "$*: $(cat "$W/curl.err")"
	page="${page%%$'\n'*}|$(cat "$W/said")"
	[ "$page" = "$want" ] || fail "$*: '$page', not '$want'"
}
field() { # URL NAME CURL-ARG...: of the JSON of /echo
	get "$1" "${@:3}" | $PYTHON -c 'import json, sys; s = json.load(sys.stdin); h = dict(s["headers"]); print(h.get(sys.argv[1], s.get(sys.argv[1])))' "$2"
}

# ---- both versions of HTTP ----

for v in 1.1 2; do
	how=--http$v
	note "HTTP/$v"
	is "hello from nginx|200 $v" $how "$URL/"
	[ "$(get $how -I "$URL/big" | grep -i -c "^content-length: ${MB}000000")" = 1 ] || fail "HEAD by HTTP/$v"
	is "|304 $v" $how -H "If-None-Match: $(get $how -I "$URL/" | tr -d '\r' | sed -n 's/^etag: //Ip')" "$URL/"
	is "from|206 $v" $how -r 6-9 "$URL/"
	is "the website is well|200 $v" $how "$URL/healthz"
	is "127.0.0.1 https localhost:$MAIN_PORT localhost $v culvert|200 $v" $how -H "X-Forwarded-For: 6.6.6.6" -H "X-Forwarded-Proto: x" "$URL/who"
	# Uploads with and without a length.
	is "|201 $v" $how -T "$W/site/www/index.html" "$URL/put/a$v"
	is "|201 $v" $how -T - "$URL/put/b$v" <"$W/site/www/index.html"
	is "hello from nginx|200 $v" $how "$URL/put/a$v"
	is "hello from nginx|200 $v" $how "$URL/put/b$v"
	# What is below the base is the website's for all others, whatever the method.
	for path in /nothing /culvert /culvert/v1/AAAAAAAAAAAAAAAAAAAAAA?c=0\&x=1\&m=hello /culvert/healthz/; do
		[ "$(get $how "$URL$path" | md5sum)" = "$(get $how "$URL/nothing" | md5sum)" ] || fail "$path is another page than /nothing"
		[ "$(get $how -d x "$URL$path" | md5sum) $(cat "$W/said")" = "$(get $how -d x "$URL/nothing" | md5sum) $(cat "$W/said")" ] || fail "POST $path"
	done
	is "ok|200 $v" $how "$URL/culvert/healthz"
	# Odd ones.
	is "until the end|200 $v" $how "$ODD_URL/until"
	is "too much|413 $v" $how -d "$(head -c 3000 /dev/zero | tr '\0' x)" "$ODD_URL/early"
	is "Bad Gateway|502 $v" $how "$ODD_URL/nonsense"
	is "long|200 $v" $how "$ODD_URL/heads?12000" -D "$W/head"
	[ "$(tr -d '\r\n' <"$W/head" | grep -o 'x\{100,\}' | wc -c)" = 12001 ] || fail "a long header by HTTP/$v"
	rc=0
	get $how "$ODD_URL/half" || rc=$?
	[ $rc -ne 0 ] && grep -q "half of it" "$W/body" || fail "half an answer by HTTP/$v looks whole"
	[ "$(field "$ODD_URL/echo" length $how -T "$W/site/www/big" -X POST)" = ${MB}000000 ] || fail "a long body by HTTP/$v"
	[ "$(field "$ODD_URL/echo" connection $how -H "Connection: close, x-secret" -H "X-Secret: 1")" = None ] || fail "Connection goes on"
	[ "$(field "$ODD_URL/echo" x-secret $how -H "Connection: close, x-secret" -H "X-Secret: 1" --http1.1)" = None ] || fail "what Connection names goes on"
	[ "$(field "$ODD_URL/echo" cookie $how -H "Cookie: a=b; c=d")" = "a=b; c=d" ] || fail "cookies by HTTP/$v"
	[ "$(field "$ODD_URL/echo" expect $how -H "Expect: 100-continue" -T "$W/site/www/index.html" -X POST)" = None ] || fail "Expect goes on"
done
grep -q "front.*6.6.6.6" "$W/culvertd.err" && fail "a claim was believed"

# Without TLS the website is told so; it may redirect.
is "127.0.0.1 http 127.0.0.1:$SERVER_HTTP_PORT 127.0.0.1 1.1 culvert|200 1.1" "http://127.0.0.1:$SERVER_HTTP_PORT/who"

# Behind a proxy in front that is believed (this machine is): its word goes on, and not what a client told it before.
is "203.0.113.7 https www.example.org 127.0.0.1 1.1 culvert|200 1.1" -H "X-Forwarded-For: 6.6.6.6, 203.0.113.7" -H "X-Forwarded-Proto: https" \
	-H "X-Forwarded-Host: www.example.org" "http://127.0.0.1:$SERVER_CLEAR_PORT/who"
is "203.0.113.8 http here here 2 culvert|200 2" --http2-prior-knowledge -H "Forwarded: for=\"203.0.113.8:99\"" -H "Host: here" "http://127.0.0.1:$SERVER_CLEAR_PORT/who"

# ---- at once, and WebSockets ----

note "events"
# An event is read before the next one is let go.
$PYTHON - "$ODD_URL" "$W/server.crt" <<'END' || fail "events are held back"
import http.client, ssl, sys, urllib.parse
at = urllib.parse.urlparse(sys.argv[1]).netloc
context = ssl.create_default_context(cafile=sys.argv[2])
reading, asking = (http.client.HTTPSConnection(at, context=context, timeout=10) for _ in range(2))
reading.request("GET", "/events")
answer = reading.getresponse()
for i in range(20):
    assert answer.readline() == b"data: %d\n" % i and answer.readline() == b"\n"
    asking.request("GET", "/next")
    assert asking.getresponse().read() == b"1\n"
reading.close()
END
note "the reader leaves"
# The reader is gone, and the site learns it.
nobody_reads() { [ "$(get "$ODD_URL/next")" = 0 ]; }
await 10 nobody_reads || fail "the website does not learn that its visitor has left"

$PYTHON - "$ODD_URL" "$W/server.crt" <<'END' || fail "WebSocket"
import asyncio, os, ssl, sys, websockets
async def main():
    context = ssl.create_default_context(cafile=sys.argv[2])
    async with websockets.connect(sys.argv[1].replace("https", "wss") + "/ws", ssl=context, max_size=None) as ws:
        for n in (0, 1, 125, 126, 70000, 900000):
            data = os.urandom(n)
            await ws.send(data)
            assert await asyncio.wait_for(ws.recv(), 10) == data, n
        await ws.send("text")
        assert await asyncio.wait_for(ws.recv(), 10) == "text"
asyncio.run(main())
END

# By HTTP/2 (RFC 8441): frames of bytes that are masked by hand, beside other requests on the same connection; and lines that HTTP/1.1 would
# take for more than one.
$PYTHON - "${ODD_URL#https://}" "$W/server.crt" "$TOP/tests/tools" <<'END' || fail "WebSocket by HTTP/2"
import os, struct, sys
sys.path.insert(0, sys.argv[3])
import h2.config, h2.connection, h2.events, h2raw
lax = h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False)
sock = h2raw.Target(sys.argv[1].replace("localhost", "127.0.0.1"), sys.argv[2]).connect()
c = h2.connection.H2Connection(lax)
c.initiate_connection()
status, bodies, over = {}, {}, set()
def until(done):
    while not done():
        sock.sendall(c.data_to_send())
        data = sock.recv(65536)
        assert data, "closed"
        for event in c.receive_data(data):
            stream = getattr(event, "stream_id", 0)
            if isinstance(event, h2.events.ResponseReceived):
                status[stream] = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                bodies[stream] = bodies.get(stream, b"") + event.data
                c.acknowledge_received_data(event.flow_controlled_length, stream)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                over.add(stream)
def ask(method, path, *more, end=True):
    stream = c.get_next_available_stream_id()
    c.send_headers(stream, [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path), *more], end_stream=end)
    return stream
ws = ask("CONNECT", "/ws", (":protocol", "websocket"), ("sec-websocket-version", "13"), end=False)
until(lambda: ws in status)
assert status[ws][":status"] == "200" and "sec-websocket-accept" not in status[ws] and "upgrade" not in status[ws], status
for n in (5, 125, 126, 60000):
    data, mask = os.urandom(n), os.urandom(4)
    head = bytes([0x82, 0x80 | n]) if n < 126 else b"\x82\xfe" + struct.pack("!H", n)
    frame = head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data))
    beside = ask("GET", "/echo?%d" % n)
    bodies[ws] = b""
    for at in range(0, len(frame), 16384):
        c.send_data(ws, frame[at:at + 16384])
    want = bytes([0x82, n]) + data if n < 126 else b"\x82\x7e" + struct.pack("!H", n) + data
    until(lambda: len(bodies.get(ws, b"")) >= len(want) and beside in over)
    assert bodies[ws] == want and b'"target": "/echo?%d"' % n in bodies[beside], n
refused = ask("CONNECT", "/echo", (":protocol", "websocket"), end=False)
until(lambda: refused in status)
assert status[refused][":status"] == "200" and b'"method": "GET"' in bodies[refused]
for path, name, value in (("/echo HTTP/1.1\r\nX-A: b", "a", "b"), ("/echo", "a\r\nx", "b"), ("/echo", "a", "b\r\nX-A: b"), ("http://other/echo", "a", "b"),
                          ("/echo", "transfer-encoding", "chunked"), ("/echo", "connection", "close"), ("/echo", "host", "a\nb")):
    stream = ask("GET", path, (name, value))
    until(lambda: stream in over)
    assert stream not in status or status[stream][":status"] == "400" or b"x-a" not in bodies[stream].lower() and b"other" not in bodies[stream], (path, name, value, bodies[stream])
bodies[ws] = b""
c.send_data(ws, b"\x88\x82\0\0\0\0" + struct.pack("!H", 1000), end_stream=True)	# as browsers do: the answer to it is still heard
until(lambda: ws in over)
assert bodies[ws] == b"\x88\x02" + struct.pack("!H", 1000), bodies[ws]
END
launch h2-reader curl -sS -N -m 20 --http2 --cacert "$W/server.crt" "$ODD_URL/events"
await 5 grep -q "data: 0" "$W/h2-reader.out" || fail "no event by HTTP/2"
stop h2-reader
await 5 nobody_reads || fail "the website does not learn that its visitor by HTTP/2 has left"

note "a helper"
# ---- a helper on the same port, and much in both directions in constant memory ----

rss() { awk '$1 == "VmRSS:" { print $2 }' "/proc/${PID[culvertd]}/status"; }
helper_echo helper
passes 20 || fail "nothing passes"
before=$(rss)
for i in 1 2; do
	launch down$i curl -sS -m 60 --cacert "$W/server.crt" --http$i$([ $i = 2 ] || echo .1) "$URL/big" -o "$W/big.$i"
	launch up$i curl -sS -m 60 --cacert "$W/server.crt" --http$i$([ $i = 2 ] || echo .1) -T "$W/site/www/big" "$URL/put/big.$i" -o "$W/answer.$i" -w '%{http_code}'
done
datagrams call "$UDP" --seconds 3 >"$W/call" || fail "no call beside the website"
tail -n 1 "$W/call" | $PYTHON -c 'import json, sys; c = json.load(sys.stdin); assert c["sent"] > 100 and c["lost"] * 20 <= c["sent"], c' ||
	fail "packets lost beside the website: $(cat "$W/call")"
signalling check "$SIG" --bytes 123456 >"$W/signalling" || fail "no TCP beside the website"
peak=$(rss)
for i in 1 2; do
	finish down$i 60 || fail "download $i: $(cat "$W/down$i.err")"
	finish up$i 60 || fail "upload $i: $(cat "$W/up$i.err")"
	cmp "$W/big.$i" "$W/site/www/big" || fail "download $i is damaged"
	cmp "$W/site/www/put/big.$i" "$W/site/www/big" || fail "upload $i is damaged"
	now=$(rss)
	[ "$now" -le "$peak" ] || peak=$now
done
[ $((peak - before)) -lt $MEMORY ] || fail "$((peak - before)) KiB of memory for bodies that pass"
note "memory: $before KiB, $peak KiB while $((4 * MB)) MB passed"

# Slow readers: what they do not take is left at the website.
for i in 1 2 3 4 5 6 7 8; do
	launch slow$i curl -sS -m 60 --cacert "$W/server.crt" --limit-rate 20k "$URL/big" -o /dev/null
done
sleep 1
[ $(($(rss) - before)) -lt $MEMORY ] || fail "$(($(rss) - before)) KiB of memory for slow readers"
"$CULVERTD" status --admin "$W/culvertd.sock" --json >"$W/status.json" || fail "no status"
$PYTHON -c 'import json, sys; w = json.load(open(sys.argv[1]))["website"]; assert w["in_flight"] == 8 and w["failures"] == 0 and w["requests"] > 20 and w["connections"] >= 8, w' "$W/status.json" ||
	fail "status: $(cat "$W/status.json")"
for i in 1 2 3 4 5 6 7 8; do
	stop slow$i
done
quiet() { "$CULVERTD" status --admin "$W/culvertd.sock" | grep -q " 0 in flight"; }
await 10 quiet || fail "in flight: $("$CULVERTD" status --admin "$W/culvertd.sock")"

# Many at once, on few connections.
h2load -n 2000 -c 10 -m 20 "$URL/" >"$W/h2load" 2>&1 || fail "h2load"
grep -q "2000 succeeded, 0 failed" "$W/h2load" || fail "h2load: $(cat "$W/h2load")"
passes 5 || fail "nothing passes any more"

# ---- down and back ----

stop nginx
is "Bad Gateway|502 1.1" --http1.1 "$URL/"
is "Bad Gateway|502 2" --http2 "$URL/"
grep -q "fallback http://127.0.0.1:$SITE_PORT: no connection" "$W/culvertd.err" || fail "the log does not say it"
passes 5 || fail "nothing passes while the website is down"
site_start nginx2
is "hello from nginx|200 2" --http2 "$URL/"
"$CULVERTD" status --admin "$W/culvertd.sock" >"$W/status"
grep -q "http://127.0.0.1:$SITE_PORT: [0-9]* requests, 2 failed" "$W/status" || fail "status: $(cat "$W/status")"

# What is no HTTP does not come so far.
before=$(wc -l <"$W/site/access.log")
for text in 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n' 'GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n' 'GET /\r\n\r\n' \
	'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n' 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n'; do
	# shellcheck disable=SC2059
	printf "$text" | timeout 2 openssl s_client -quiet -connect "127.0.0.1:$MAIN_PORT" 2>/dev/null >"$W/raw"
	head -n 1 "$W/raw" | grep -q "^HTTP/1.1 400 Bad Request" || fail "$text: $(cat "$W/raw")"
done
[ "$(wc -l <"$W/site/access.log")" -eq "$before" ] || fail "nonsense goes on to the website: $(tail -n 5 "$W/site/access.log")"

# ---- configuration ----

conf() { # LINES
	cat >"$W/site.conf" <<END
listen = { "127.0.0.1:${PORT3:-0}" }
cert = "$W/server.crt"
key = "$W/server.key"
token-file = "$W/token"
admin = none
service udp { target = "udp://$UDP_TARGET" }
$1
END
}
conf 'cover = 404'
launch third "$CULVERTD" -c "$W/site.conf"
PORT3=$(port_of "$(ready third https culvertd)") || fail "no server"
is "Not Found|404 1.1" --http1.1 "https://localhost:$PORT3/"
conf "fallback = \"unix:$W/site/nginx.sock\""
kill -HUP "${PID[third]}"
await 5 grep -q "were read again" "$W/third.err" || fail "not reloaded"
is "hello from nginx|200 2" --http2 "https://localhost:$PORT3/"
conf "fallback = \"http://$ODD\""
kill -HUP "${PID[third]}"
third_is_odd() { [ "$(get "https://localhost:$PORT3/")" = "nothing here" ]; }
await 5 third_is_odd || fail "not reloaded"
launch never curl -sS -m 20 --cacert "$W/server.crt" "https://localhost:$PORT3/never"
sleep 0.3
stop_expecting third 0
! finish never 5 || fail "an answer from nowhere"

wrong() { # LINES PATTERN
	local rc=0
	conf "$1"
	"$CULVERTD" --check -c "$W/site.conf" >"$W/wrong" 2>&1 || rc=$?
	[ $rc -eq 2 ] && grep -q -E -- "$2" "$W/wrong" || fail "$1: status $rc: $(cat "$W/wrong")"
}
wrong $'cover = 404\nfallback = "http://127.0.0.1:1"' "site.conf:8: fallback and cover exclude each other"
wrong 'fallback = "https://127.0.0.1:1"' "site.conf:7: fallback must be like http://127.0.0.1:8081 .*not 'https://127.0.0.1:1'"
wrong 'fallback = "http://www.example.org"' "no name"
stop_expecting culvertd 0

# What is on its way at a stop arrives.
for how in http1.1 http2; do
	launch "slow-$how" curl -sS -m 20 --cacert "$W/server.crt" --$how "$ODD_URL/slow"
done
sleep 0.3
stop_expecting odd-front 0
for how in http1.1 http2; do
	finish "slow-$how" 5 && [ "$(cat "$W/slow-$how.out")" = halfhalf ] || fail "$how: cut at a stop: $(cat "$W/slow-$how".???)"
done
