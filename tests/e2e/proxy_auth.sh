#!/usr/bin/env bash
# Calls through Squid with Basic, Digest, NTLM, Negotiate (Kerberos): duplex by CONNECT and poll without; its log says who and how.
# seconds: 200
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 NO_LINK=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/kerberos.sh"
. "$TOP/tests/lib/samba.sh"
SERVER_PLAIN=1 setup_calls
realm_start
samba_start
echo secret >"$W/proxy-password"
chmod 600 "$W/proxy-password"
PROXY_NAME=localhost

# Requests in the log of the proxy of this call whose "method status user scheme" match.
said() { # PATTERN
	squid_auth_log "$PROXY" | grep -c -E -- "$1"
}

# The user stands in the log at all that passed, and what shows who it is was sent unasked: 407 for the first connections
# and where the scheme itself has it (NTLM, also within Negotiate: once in each connection).
accepted() { # METHODS USER SCHEME
	local unasked bare='(-|Basic|Negotiate|NTLM3)'
	case $PROXY in spnego*) bare=- ;; esac
	[ "$(said "^($1) 200 $2 ")" -ge 1 ] || fail "$PROXY: no $1 of $2 in its log: $(squid_auth_log "$PROXY" | sort | uniq -c)"
	[ "$(said "^($1) 200 - ")" -eq 0 ] || fail "$PROXY: passed without a user"
	[ "$(said "^[A-Z]+ 200 .* $3\$")" -ge 1 ] || fail "$PROXY: not by $3"
	unasked=$(said "^[A-Z]+ 407 .* $bare\$")
	note "$PROXY: 407 without need: $unasked; $(squid_auth_log "$PROXY" | sort | uniq -c | xargs)"
	check "$unasked" "<=" 4 "$PROXY: requests that were asked who they are"
}

both_ways() { # KIND USER-IN-THE-LOG SCHEME
	local stale
	PROXY=$1
	proxy_start "$1" "squid-$1" "443 $SERVER_PORT"
	call "$1" duplex
	[ "$TUNNELS" -ge 1 ] && [ "$EXCHANGES" -eq 0 ] || fail "$1: $TUNNELS tunnels, $EXCHANGES exchanges"
	accepted CONNECT "$2" "$3"
	proxy_stop "$1"

	PROXY=$1-abs
	proxy_start "$1-abs" "squid-$1-abs" "443 $SERVER_PORT"
	call "$1-abs" poll
	check "$EXCHANGES" ">=" 50 "$1-abs: exchanges"
	accepted "GET|POST" "$2" "$3"
	proxy_stop "$1-abs"
}

PROXY_ARGUMENTS="--proxy-auth basic" PROXY_USER=alice both_ways basic alice Basic
PROXY_USER=alice both_ways digest alice Digest
PROXY_USER='ZOO\games' both_ways ntlm '.*games.*' NTLM3 # Squid's helper that takes any password
PROXY_USER=$SAMBA_USER both_ways samba 'ZOO\\games' NTLM3
PROXY_USER=$SAMBA_USER both_ways spnego 'ZOO\\games' Negotiate # NTLM within Negotiate: there is no ticket yet
realm_ticket
both_ways negotiate alice@PROXY.TEST Negotiate
PROXY_USER=alice both_ways all alice@PROXY.TEST Negotiate # the strongest of those offered
