#!/usr/bin/env bash
# What the helper says of proxies that refuse, know no password, answer nonsense or nothing; it goes on trying.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
setup_echo
declare -A says=(
	[403]="does not allow CONNECT to localhost:$SERVER_PORT \(403 Forbidden\)"
	[407]="wants credentials .*Basic.*--proxy-password-file"
	[502]="could not reach localhost:$SERVER_PORT.*\(502 Bad Gateway\)"
	[nonsense]="does not speak HTTP: is this a proxy\?"
	[close]="closed the connection instead of answering CONNECT"
	[silence]="did not answer|no answer|nothing came"
	[page]="answer to CONNECT.*is this a proxy\?"
)
for how in "${!says[@]}"; do
	launch "scripted-$how" $PYTHON "$PROXIES/scripted.py" "$how"
	helper_echo "by-$how" --proxy "http://$(ready "scripted-$how" tcp scripted)"
done
gone=$(free_port)
helper_echo by-gone --proxy "http://127.0.0.1:$gone"
helper_echo by-name --proxy "http://no-such-proxy.invalid:3128"
for how in "${!says[@]}"; do
	expect "by-$how" 25 "${says[$how]}.*trying again"
	grep -q "^CONNECT localhost:$SERVER_PORT HTTP/1.1" "$W/scripted-$how.out" || fail "$how: no CONNECT with the server's name"
done
expect by-gone 10 "nothing listens at the proxy 127.0.0.1:$gone .*trying again"
expect by-name 15 "no-such-proxy.invalid of the proxy has no address.*trying again"
for how in "${!says[@]}" gone name; do
	running "by-$how" || fail "$how: the helper has ended"
done

# Real ones: a wrong password, a name that the proxy does not find, a proxy that looks at TLS and is not trusted.
echo wrong >"$W/proxy-password"
chmod 600 "$W/proxy-password"
proxy_start basic squid-basic "443 $SERVER_PORT"
helper_echo wrong-password --proxy "http://alice@127.0.0.1:${PROXY_PORT[basic]}" --proxy-password-file "$W/proxy-password"
expect wrong-password 10 "(credentials|password).*trying again"
proxy_start bump squid-bump "443 $SERVER_PORT" "$SERVER_CERT"
helper_echo unknown-name --server "https://no-such-host.invalid:$SERVER_PORT" --proxy "http://127.0.0.1:${PROXY_PORT[bump]}" --cafile "${PROXY_CA[bump]}"
helper_echo not-trusted --proxy "http://127.0.0.1:${PROXY_PORT[bump]}"
expect not-trusted 10 "certificate for localhost is signed by '.*intercepting proxy CA.*', which is not trusted.*trying again"
expect unknown-name 20 "no-such-host.invalid.*trying again"

# The password is put right: it goes on by itself after SIGHUP.
echo secret >"$W/proxy-password"
kill -HUP "${PID[wrong-password]}"
UDP=$(helper_udp wrong-password udp)
passes 20 || fail "nothing passes after the password was put right"

# A proxy comes back on the port where nothing was: no signal needed, it is tried for as long as it takes.
PROXY_LISTEN=127.0.0.1:$gone STOREFWD_OPTIONS="--per-client 0"
proxy_start late storefwd "" "$SERVER_CERT"
late=${PROXY_PORT[late]} ca=${PROXY_CA[late]}
proxy_stop late
helper_echo late-helper --proxy "http://127.0.0.1:$late" --cafile "$ca"
expect late-helper 10 "nothing listens at the proxy.*trying again"
proxy_start late storefwd "" "$SERVER_CERT"
passes 30 || fail "nothing passes through a proxy that came up late"
