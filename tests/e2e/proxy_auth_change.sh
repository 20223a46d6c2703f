#!/usr/bin/env bash
# In mid-call, by CONNECT and without: nonces and connections end, a ticket is renewed, the proxy starts anew or wants a password now. No byte is lost.
# seconds: 90
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 NO_LINK=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/kerberos.sh"
. "$TOP/tests/lib/samba.sh"
CALL=18 # s
SERVER_PLAIN=1 setup_echo
realm_start
samba_start
realm_ticket 12
first_until=$REALM_UNTIL
echo secret >"$W/password"
chmod 600 "$W/password"

# name: what the proxy is at first, and when it has started anew; who logs in; how that is seen in its log
PLAN='
digest    squid-digest    squid-digest    alice@       Digest
samba     squid-samba     squid-samba     ZOO%5Cgames@ NTLM3
negotiate squid-negotiate squid-negotiate -            Negotiate
open      squid           squid-digest    alice@       Digest
'
plan() { # NAME COLUMN: a name with -abs has the same, CONNECT denied
	local value
	value=$(awk -v n="${1%-abs}" -v c="$2" '$1 == n { print $c == "-" ? "" : $c }' <<<"$PLAN")
	case $1/$2 in
	*-abs/[23]) echo "$value-abs" ;;
	*) echo "$value" ;;
	esac
}
names=()
for name in $(awk 'NF { print $1 }' <<<"$PLAN"); do
	names+=("$name" "$name-abs")
done

# Connections are cut every 4 s; nonces live for 3 s or 20 uses.
start() { # NAME KIND [PORT]
	PROXY_AT=${3:-} DIGEST_NONCE=$'nonce_max_count 20\nauth_param digest nonce_max_duration 3 seconds' \
		proxy_start "$1" "$2" "443 $SERVER_PORT"
}

declare -A UDP_OF=() SIG_OF=()
for name in "${names[@]}"; do
	start "$name" "$(plan "$name" 2)"
	launch "$name.cutter" "$TOOLS/cutter" --to "127.0.0.1:${PROXY_PORT[$name]}" --cut 4000
	login=(--proxy "http://$(plan "$name" 4)localhost:$(port_of "$(ready "$name.cutter" tcp cutter)")")
	[ -z "$(plan "$name" 4)" ] || login+=(--proxy-password-file "$W/password")
	[ "$name" = "${name%-abs}" ] && rung=duplex || rung=poll
	helper_echo "$name.helper" --rung $rung "${login[@]}" --server-http "http://localhost:$SERVER_HTTP_PORT"
	UDP_OF[$name]=$UDP SIG_OF[$name]=$SIG
done
for name in "${names[@]}"; do
	UDP=${UDP_OF[$name]}
	passes 20 || fail "$name: nothing passes"
done

for name in "${names[@]}"; do
	launch "$name.call" $PYTHON "$TOP/tests/tools/datagrams.py" call "${UDP_OF[$name]}" --seconds $CALL
	launch "$name.stream" $PYTHON "$TOP/tests/tools/signalling.py" check "${SIG_OF[$name]}" --bytes 400000 --seconds $CALL --timeout 20
done
begun=$SECONDS
until [ "$(realm_left)" -le 2 ]; do sleep 0.1; done
realm_ticket # connections that come after the end of the first one need it
until [ $SECONDS -gt "$first_until" ] && [ $((SECONDS - begun)) -ge $((CALL - 8)) ]; do sleep 0.1; done
for name in "${names[@]}"; do # one after the other
	stop "$name" KILL || : # in order it takes Squid 2 s, and then it is no sudden end
	start "$name" "$(plan "$name" 3)" "${PROXY_PORT[$name]}"
done
[ $((SECONDS - begun)) -lt $CALL ] || fail "the proxies did not start anew during the calls"

for name in "${names[@]}"; do
	finish "$name.call" 40 || fail "$name: the call failed: $(cat "$W/$name.call.err" "$W/$name.call.out")"
	finish "$name.stream" 40 || fail "$name: the stream is not intact: $(tail -n 1 "$W/$name.stream.out")"
	note "$name: $(tail -n 1 "$W/$name.call.out"); $(squid_auth_log "$name" | sort | uniq -c | xargs)"
	check "$(json "$W/$name.call.out" gap_ms)" "<=" 2000 "$name: ms without a datagram"
	check "$(squid_auth_log "$name" | grep -c " 200 .* $(plan "$name" 5)\$")" ">=" 2 "$name: connections or requests that were authenticated anew"
done
for name in digest digest-abs; do
	check "$(squid_auth_log $name | grep -c ' 407 .* Digest$')" ">=" 2 "$name: nonces that expired"
done
for name in "${names[@]}"; do
	stop_expecting "$name.helper" 0
done
