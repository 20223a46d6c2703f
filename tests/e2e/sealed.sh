#!/usr/bin/env bash
# Sealed sessions without TLS: direct, through proxies that deny CONNECT, seen and altered on the way, with a wrong certificate.
# seconds: 150
. "$(dirname "$0")/e2e.sh"
SERVER_PLAIN=1
setup_echo
TEXT="INVITE sip:bob@example.test SIP/2.0"
token=$(cut -d: -f2 "$W/token")

status() { # PATH: of the server's status
	"$CULVERTD" status --admin "$W/culvertd.sock" --json >"$W/status.json" || fail "no status"
	json "$W/status.json" "$1"
}

# A line of signalling and back.
says() {
	exec 5<>"/dev/tcp/${SIG%:*}/${SIG##*:}" || fail "no signalling"
	printf '%s\r\n' "$TEXT" >&5
	read -r -t 20 line <&5 || fail "$1: no answer to signalling"
	exec 5>&-
	[ "$line" = "$TEXT"$'\r' ] || fail "$1: another answer to signalling: $line"
}

exact() { # NAME BYTES SECONDS
	signalling check "$SIG" --bytes "$2" --seconds "$3" --connections 2 --timeout 60 --label "$1" >"$W/$1.result" || fail "$1: not intact: $(cat "$W/$1.result")"
}

tap() { # NAME ARG...
	launch "$1" $PYTHON "$TOP/tests/tools/tap.py" --to "127.0.0.1:$SERVER_HTTP_PORT" "${@:2}"
	TAP_PORT=$(port_of "$(ready "$1" tcp tap)")
}

# ---- nobody in between learns anything ----

tap tap --keep "$W/seen"
for rung in poll duplex auto; do
	helper_echo "$rung" --server "http://localhost:$TAP_PORT" --rung $rung
	passes 10 || fail "$rung: nothing passes"
	says $rung
	exact $rung 300000 1
	[ "$(status seals.sessions)" -ge 1 ] || fail "$rung: the session is not sealed"
	stop_expecting $rung 0
done
stop tap
check "$(json "$W/tap.out" bytes)" ">" 1800000 "bytes seen on the way"
grep -q -a "m=seal&s=" "$W/seen" || fail "the tap saw no handshake"
for secret in "$token" "$(cut -c1-12 <<<"$token")" tester "Authorization" "Culvert id=" "$TEXT" "INVITE"; do
	! grep -q -a -F -- "$secret" "$W/seen" || fail "seen on the way: $secret"
done

# ---- what is altered on the way is noticed, and nothing of it gets through ----

tap flipper --flip 40000 --after 4000
helper_echo altered --server "http://localhost:$TAP_PORT" --rung poll
passes 20 || fail "altered: nothing passes"
exact altered 600000 6
datagrams probe "$UDP" --seconds 20 >/dev/null || fail "altered: datagrams do not pass any more"
stop_expecting altered 0
stop flipper
check "$(json "$W/flipper.out" flips)" ">=" 20 "bits turned over"
check "$(status counters.sealed_refused)" ">=" 3 "bodies dropped because they were altered"

# ---- only what is sealed is served there ----

code() { # CURL-ARG...
	curl -s -o /dev/null -w '%{http_code}' --noproxy '*' "$@"
}
[ "$(code "http://127.0.0.1:$SERVER_HTTP_PORT/healthz")" = 200 ] || fail "no /healthz without TLS"
[ "$(code -X POST -d x "http://127.0.0.1:$SERVER_HTTP_PORT/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA?c=0&x=0&m=hello")" = 404 ] || fail "an unsealed request was served"
expect culvertd 5 "not sealed, and came without TLS"
[ "$(status counters.unsealed_refused)" -ge 1 ] || fail "not counted"
curl -s --noproxy '*' -k "https://127.0.0.1:$SERVER_HTTP_PORT/" >/dev/null && fail "TLS on the port without"
expect culvertd 5 "sent TLS to a port of --listen-http"

# ---- through proxies without CONNECT; the server is restarted in between ----

# a restart at the same places
restart() {
	local port=$SERVER_PORT
	stop_expecting culvertd 0
	server_start culvertd --service "udp=udp://$UDP_TARGET" --service "sig=tcp://$TCP_TARGET"
	[ "$SERVER_PORT" = "$port" ] || fail "the server is elsewhere now"
}

for kind in squid-abs storefwd-abs; do
	proxy_start $kind $kind "$SERVER_PORT" "$W/server.crt"
	helper_echo via-$kind --server-http "http://localhost:$SERVER_HTTP_PORT" --proxy "http://127.0.0.1:${PROXY_PORT[$kind]}"
	passes 20 || fail "$kind: nothing passes"
	says $kind
	exact $kind 200000 2
	restart
	await 30 passes 1 || fail "$kind: nothing passes after a restart of the server"
	says $kind
	stop_expecting via-$kind 0
	! grep -a -q -F -e tester -e "$TEXT" "${PROXY_LOG[$kind]}" || fail "$kind: the log of the proxy names somebody"
done

# ---- a proxy that stops to allow CONNECT in the middle: the session goes on, sealed from then on ----

for kind in squid squid-abs; do
	PROXY_AT=${PROXY_PORT[turning]:-} proxy_start turning $kind "$SERVER_PORT"
	if [ $kind = squid ]; then
		helper_echo turned --server-http "http://localhost:$SERVER_HTTP_PORT" --proxy "http://127.0.0.1:${PROXY_PORT[turning]}"
		passes 10 || fail "turned: nothing passes by CONNECT"
		[ "$(status seals.sessions)" -eq 0 ] || fail "turned: sealed without need"
		opened=$(status counters.sessions_opened)
		launch turning-check $PYTHON "$TOP/tests/tools/signalling.py" check "$SIG" --bytes 200000 --seconds 12 --timeout 60
		expect turned 10 "carried by duplex"
		proxy_stop turning
	fi
done
finish turning-check 60 || fail "turned: not intact: $(cat "$W/turning-check.out")"
passes 20 || fail "turned: nothing passes"
[ "$(status seals.sessions)" -eq 1 ] || fail "turned: not sealed"
[ "$(status counters.sessions_opened)" = "$opened" ] || fail "turned: another session"
stop_expecting turned 0

# ---- within TLS, as against a box that intercepts it ----

helper_echo within --seal always
passes 10 || fail "within TLS: nothing passes"
says within
[ "$(status seals.sessions)" -ge 1 ] || fail "within TLS: the session is not sealed"
stop_expecting within 0

# ---- whoever has not the key is nobody ----

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other.test -addext subjectAltName=DNS:other.test \
	-keyout "$W/other.key" -out "$W/other.crt" 2>/dev/null || fail "no certificate"
cat "$W/server.crt" "$W/other.crt" >"$W/both.crt"
opened=$(status counters.sessions_opened)
cp "$W/other.crt" "$W/trusted.crt"
helper_echo unknown --server "http://localhost:$SERVER_HTTP_PORT" --cafile "$W/trusted.crt"
expect unknown 10 "certificate .*localhost.*not trusted"
[ "$(status counters.sessions_opened)" = "$opened" ] || fail "a session without a certificate"
cp "$W/server.crt" "$W/trusted.crt"
kill -HUP "${PID[unknown]}" # trusted from the next handshake on
passes 15 || fail "nothing passes though the certificate is trusted now"
opened=$(status counters.sessions_opened)
stop_expecting unknown 0

# Another certificate from the next handshake on, and back; the helper waits for it.
reload() { # CERTIFICATE
	cp "$W/$1.crt" "$W/server.crt" && cp "$W/$1.key" "$W/server.key"
	kill -HUP "${PID[culvertd]}"
}
cp "$W/server.crt" "$W/own.crt" && cp "$W/server.key" "$W/own.key"
reload other
expect culvertd 5 "were read again"
helper_echo stranger --server "http://localhost:$SERVER_HTTP_PORT" --cafile "$W/both.crt"
expect stranger 10 "certificate shown for localhost is for other.test"
[ "$(status counters.sessions_opened)" = "$opened" ] || fail "a session with the certificate of another host"
reload own
passes 15 || fail "nothing passes with the right certificate"
stop_expecting stranger 0
stop_expecting culvertd 0
