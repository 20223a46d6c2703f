#!/usr/bin/env bash
# Calls through proxies that allow CONNECT only to 443, or only to names, or for nobody; nothing prescribed: sealed, without a tunnel.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
SERVER_PLAIN=1 setup_calls

# Its content is not to be seen: what the proxy passes on is looked at by a TCP relay in sealed.sh.
absolute() { # NAME RUNG
	CELL_KIND=squid-abs call "$1" "$2"
	[ "$TUNNELS" -eq 0 ] || fail "$1: $TUNNELS tunnels"
	check "$EXCHANGES" ">=" "${3:-2}" "$1: exchanges in the proxy's log"
	check "$CONNECTS" ">=" 1 "$1: CONNECTs that were denied"
}
proxy_start none squid-abs ""
absolute none auto
absolute none split
proxy_stop none
proxy_start only443 squid-strict "" # the server is at another port
absolute only443 auto
proxy_stop only443

# To the server by its address, and to the same one by its name.
proxy_start names squid-names "443 $SERVER_PORT"
call names duplex
[ "$TUNNELS" -ge 1 ] && [ "$EXCHANGES" -eq 0 ] || fail "by name: $TUNNELS tunnels, $EXCHANGES exchanges"
"$CULVERTD" gen-cert --host 127.0.0.1 --cert "$W/address.crt" --key "$W/address.key" >/dev/null 2>&1 || fail "no certificate"
cp "$W/address.crt" "$W/server.crt"
cp "$W/address.key" "$W/server.key"
kill -HUP "${PID[culvertd]}"
expect culvertd 5 "read again|reloaded|anew"
SERVER_NAME=127.0.0.1
absolute names auto
