#!/usr/bin/env bash
# In mid-call, by CONNECT and without: nonces and connections that expire, a ticket that is renewed, a proxy that starts anew. No byte is lost.
# seconds: 90
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/kerberos.sh"
. "$TOP/tests/lib/samba.sh"
SERVER_PLAIN=1 setup_echo
realm_start
samba_start
realm_ticket 12
echo secret >"$W/password"
chmod 600 "$W/password"
declare -A HAS=([digest]=Digest [samba]=NTLM3 [negotiate]=Negotiate)
declare -A USER_OF=([digest]=alice@ [samba]=ZOO%5Cgames@ [negotiate]=)
SECONDS_CALL=18

# Connections live for 5 s, nonces for 3 s or 20 uses.
start() { # NAME KIND [PORT]
	PROXY_AT=${3:-} SQUID_LIFE=5 DIGEST_NONCE=$'nonce_max_count 20\nauth_param digest nonce_max_duration 3 seconds' proxy_start "$1" "$2" "443 $SERVER_PORT"
}
helper() { # NAME SCHEME RUNG
	local password=(--proxy-password-file "$W/password")
	[ -n "${USER_OF[$2]}" ] || password=()
	helper_echo "$1" --rung "$3" --proxy "http://${USER_OF[$2]}localhost:${PROXY_PORT[$1]}" "${password[@]}" --server-http "http://localhost:$SERVER_HTTP_PORT"
	UDP_OF[$1]=$UDP SIG_OF[$1]=$SIG
}
declare -A UDP_OF=() SIG_OF=() RUNG=()
names=()
for scheme in digest samba negotiate; do
	names+=("$scheme" "$scheme-abs")
	RUNG[$scheme]=duplex RUNG[$scheme-abs]=poll
	start "$scheme" "squid-$scheme"
	start "$scheme-abs" "squid-$scheme-abs"
done
for name in "${names[@]}"; do
	helper "$name" "${name%-abs}" "${RUNG[$name]}"
done
for name in "${names[@]}"; do
	UDP=${UDP_OF[$name]}
	passes 20 || fail "$name: nothing passes"
done

for name in "${names[@]}"; do
	proxy_mark "$name"
	launch "$name.call" $PYTHON "$TOP/tests/tools/datagrams.py" call "${UDP_OF[$name]}" --seconds $SECONDS_CALL
	launch "$name.stream" $PYTHON "$TOP/tests/tools/signalling.py" check "${SIG_OF[$name]}" --bytes 400000 --seconds $SECONDS_CALL --timeout 20
done
begun=$SECONDS
until [ "$(realm_left)" -le 2 ]; do sleep 0.1; done
realm_ticket # two seconds before the first one ends; connections need it from then on
until [ $((SECONDS - begun)) -ge $((SECONDS_CALL - 6)) ]; do sleep 0.1; done
for name in "${names[@]}"; do # one after the other
	proxy_stop "$name"
	start "$name" "squid-$name" "${PROXY_PORT[$name]}"
done

for name in "${names[@]}"; do
	finish "$name.call" 40 || fail "$name: the call failed: $(cat "$W/$name.call.err" "$W/$name.call.out")"
	finish "$name.stream" 40 || fail "$name: the stream is not intact: $(tail -n 1 "$W/$name.stream.out")"
	note "$name: $(tail -n 1 "$W/$name.call.out"); $(squid_auth_log "$name" | sort | uniq -c | xargs)"
	check "$(json "$W/$name.call.out" gap_ms)" "<=" 2000 "$name: ms without a datagram"
	check "$(squid_auth_log "$name" | grep -c " 200 .* ${HAS[${name%-abs}]}\$")" ">=" 3 "$name: connections or requests that were authenticated anew"
	stop_expecting "$name.helper" 0 2>/dev/null || :
done
for name in digest digest-abs; do
	check "$(squid_auth_log $name | grep -c ' 407 .* Digest$')" ">=" 2 "$name: nonces that expired"
done
