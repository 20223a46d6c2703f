#!/usr/bin/env bash
# Calls through plain CONNECT: Squid, Squid with a password, tinyproxy; their logs show tunnels and nothing else.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
setup_calls
tunnels_only() { # PROXY RUNG
	call "$1" "$2"
	[ "$TUNNELS" -ge 1 ] && [ "$EXCHANGES" -eq 0 ] || fail "$1 $2: $TUNNELS tunnels, $EXCHANGES exchanges"
}
proxy_start squid squid "443 $SERVER_PORT"
for rung in duplex split push poll; do
	tunnels_only squid $rung
done
grep -q "CONNECT localhost:$SERVER_PORT " "$W/squid/access.log" || fail "the server's name did not go into CONNECT unresolved"
proxy_stop squid

echo secret >"$W/proxy-password"
chmod 600 "$W/proxy-password"
proxy_start basic squid-basic "443 $SERVER_PORT"
PROXY_USER=alice
tunnels_only basic duplex
tunnels_only basic poll
unset PROXY_USER
grep -q "CONNECT localhost:$SERVER_PORT alice " "$W/basic/access.log" || fail "Squid did not know the user"
proxy_stop basic

proxy_start tinyproxy tinyproxy "443 $SERVER_PORT"
tunnels_only tinyproxy duplex
tunnels_only tinyproxy poll
