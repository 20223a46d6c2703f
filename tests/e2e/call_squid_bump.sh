#!/usr/bin/env bash
# Calls through a Squid that intercepts TLS, on each rung; its log shows the exchanges and no tunnel.
# seconds: 75
. "$(dirname "$0")/e2e.sh"
setup_calls
proxy_start squid squid-bump "443 $SERVER_PORT" "$SERVER_CERT"
for rung in duplex split push poll; do
	call squid $rung
	[ "$TUNNELS" -eq 0 ] || fail "$rung: $TUNNELS tunnels"
	case $rung in
	duplex | split) check "$EXCHANGES" "<=" 12 "exchanges on $rung, which holds few open" ;;
	*) check "$EXCHANGES" ">=" 50 "exchanges on $rung, which makes many short ones" ;;
	esac
done
# The proxy really saw the inside: paths of this protocol, by POST, answered 200.
grep -q -E 'TCP_MISS/200 [0-9]+ POST https://localhost:[0-9]+/culvert/v1/' "$W/squid/access.log" || fail "no exchange of culvert in the log of Squid"
