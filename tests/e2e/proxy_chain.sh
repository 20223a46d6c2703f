#!/usr/bin/env bash
# Chains of real proxies: Squid, tinyproxy, proxies behind TLS, SOCKS5; what each hop was asked; dead and wrong ones are named.
# seconds: 120
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/hops.sh"
setup_echo --listen-http 127.0.0.1:0
PLAIN=$(port_of "$(ready culvertd http culvertd)")
proxy_start tinyproxy tinyproxy "443 $SERVER_PORT"
TINY=${PROXY_PORT[tinyproxy]}
hop_https front "$TINY"
FRONT=${PROXY_PORT[front]}
hop_squid_https squids "443 $SERVER_PORT $TINY"
hop_dante dante
DANTE=${PROXY_PORT[dante]}
proxy_start squid squid "443 $SERVER_PORT $TINY $FRONT $DANTE"
SQUID=${PROXY_PORT[squid]}
hop_microsocks microsocks jane secret
cat "$SERVER_CERT" "${PROXY_CA[front]}" "${PROXY_CA[squids]}" >"$W/all.crt"
echo secret >"$W/password"
echo wrong >"$W/wrong"
chmod 600 "$W/password" "$W/wrong"

through() { # NAME ARG...: datagrams and signalling pass
	helper_echo "$@" --cafile "$W/all.crt"
	passes 20 || fail "$1: no datagrams"
	signalling check "$SIG" --bytes 100000 --timeout 20 >"$W/$1.signalling" || fail "$1: no signalling"
	stop_expecting "$1" 0
	note "$1: passes"
}

# Two HTTP proxies: names go on unresolved, each is asked for the next one only.
for rung in duplex poll; do
	through "two-$rung" --proxy "http://127.0.0.1:$SQUID" --proxy "http://localhost:$TINY" --rung $rung
done
grep -q "CONNECT localhost:$TINY " "$W/squid/access.log" || fail "Squid was not asked for tinyproxy"
! grep -q "CONNECT localhost:$SERVER_PORT " "$W/squid/access.log" || fail "Squid was asked for the server"
grep -q "CONNECT localhost:$SERVER_PORT " "$W/tinyproxy/tinyproxy.log" || fail "tinyproxy was not asked for the server"

# TLS to the proxy itself, first and second.
through https-first --proxy "https://localhost:$FRONT"
through https-squid --proxy "https://localhost:${PROXY_PORT[squids]}" --rung duplex
through https-twice --proxy "https://localhost:${PROXY_PORT[squids]}" --proxy "http://127.0.0.1:$TINY"
through https-second --proxy "http://127.0.0.1:$SQUID" --proxy "https://localhost:$FRONT"

# SOCKS5 outermost, with nothing and with a password, alone and in front of others.
through socks --proxy "socks5://127.0.0.1:$DANTE" --rung duplex
through socks-http --proxy "socks5://127.0.0.1:$DANTE" --proxy "http://127.0.0.1:$SQUID" --rung poll
through socks-password --proxy "socks5://jane@127.0.0.1:${PROXY_PORT[microsocks]}" --proxy-password-file "$W/password"
through four --proxy "socks5://jane@127.0.0.1:${PROXY_PORT[microsocks]}" --proxy-password-file "$W/password" \
	--proxy "socks5://127.0.0.1:$DANTE" --proxy "http://127.0.0.1:$SQUID" --proxy "https://localhost:$FRONT"

# A login at the second of two, Digest behind SOCKS5 with the same name.
proxy_start digest squid-digest "443 $SERVER_PORT"
through login --proxy "socks5://alice@127.0.0.1:$DANTE" --proxy "http://alice@localhost:${PROXY_PORT[digest]}" --proxy-password-file "$W/password"
[ -n "$(squid_auth_log digest | grep '^CONNECT 200 alice Digest')" ] || fail "no login by Digest"

# Without TLS to the server: CONNECT to the last proxy, which gets requests in absolute form; behind SOCKS5 the server itself gets them.
proxy_mark tinyproxy
through plain-http --server "http://localhost:$PLAIN" --proxy "http://127.0.0.1:$SQUID" --proxy "http://localhost:$TINY"
read -r connects _ exchanges <<<"$(proxy_count tinyproxy)"
[ "$connects" -eq 0 ] && [ "$exchanges" -ge 3 ] || fail "tinyproxy was asked for $connects tunnels and $exchanges exchanges"
through plain-https --server "http://localhost:$PLAIN" --proxy "https://localhost:${PROXY_PORT[squids]}"
grep -q "POST http://localhost:$PLAIN/" "$W/squids/access.log" || fail "no request in absolute form within TLS"
through plain-socks --server "http://localhost:$PLAIN" --proxy "http://127.0.0.1:$SQUID" --proxy "socks5://127.0.0.1:$DANTE"

# Who is in the way is said.
says() { # NAME PATTERN ARG...
	helper_echo "$1" --cafile "$W/all.crt" "${@:3}"
	expect "$1" 20 "$2"
	running "$1" || fail "$1 has ended"
	stop "$1"
}
gone=$(free_port)
says gone-first "nothing listens at the proxy 127.0.0.1:$gone " --proxy "http://127.0.0.1:$gone" --proxy "http://127.0.0.1:$TINY"
says gone-tls "nothing listens at the proxy https://localhost:$gone " --proxy "https://localhost:$gone"
says no-tls "the proxy https://127.0.0.1:$SQUID: the other side does not speak TLS" --proxy "https://127.0.0.1:$SQUID"
says gone-socks "the proxy socks5://127.0.0.1:$DANTE could not connect to the proxy 127.0.0.1:$gone: nothing listens there" \
	--proxy "socks5://127.0.0.1:$DANTE" --proxy "http://127.0.0.1:$gone"
says wrong-order "the proxy 127.0.0.1:$TINY does not allow CONNECT to the proxy 127.0.0.1:$SQUID \(403 Forbidden\)" \
	--proxy "http://127.0.0.1:$TINY" --proxy "http://127.0.0.1:$SQUID"
says wants-password "the proxy socks5://127.0.0.1:${PROXY_PORT[microsocks]} wants credentials" --proxy "socks5://127.0.0.1:${PROXY_PORT[microsocks]}"
says wrong-password "127.0.0.1:${PROXY_PORT[microsocks]} rejected the user name or password \(user 'jane'" \
	--proxy "socks5://jane@127.0.0.1:${PROXY_PORT[microsocks]}" --proxy-password-file "$W/wrong"
says not-signed "the proxy https://localhost:$FRONT: .*signed by 'Test CA|signed by .*which is not trusted" --cafile "$SERVER_CERT" \
	--proxy "https://localhost:$FRONT"
