#!/usr/bin/env bash
# SOCKS5 and HTTP proxies of the helper, with curl and a Python client, behind a Squid; the server's target policy, logins, proxy.pac.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
credentials_make
local_proxy() { # VERB ARG...
	$PYTHON "$TOP/tests/tools/localproxy.py" "$@"
}
launch far $PYTHON "$TOP/tests/tools/localproxy.py" serve
WEB=$(ready far tcp web) ONE=$(ready far udp one) TWO=$(ready far udp two)
[ -n "$WEB" ] && [ -n "$ONE" ] && [ -n "$TWO" ] || fail "nothing to go to"
WEB=$(port_of "$WEB") ONE=$(port_of "$ONE") TWO=$(port_of "$TWO")
CLOSED=$(free_port)
cat >"$W/culvertd.conf" <<EOF
targets = { "-127.0.0.1:$TWO", "+127.0.0.1:1024-65535", "+*.example.org:443" }
service web { target = "tcp://127.0.0.1:$WEB" }
EOF
server_start culvertd -c "$W/culvertd.conf"
proxy_start squid squid "$SERVER_PORT"
"$CULVERTD" gen-token app >"$W/logins"
chmod 600 "$W/logins"
helper_start helper --proxy "http://127.0.0.1:${PROXY_PORT[squid]}" -L socks5://127.0.0.1:0 -L http://127.0.0.1:0 --pac-hosts '*.example.org' --pac-hosts sip.example.net \
	--pac-otherwise "PROXY corp.example:8080" --control "$W/helper.sock"
SOCKS=$(ready helper socks5 "") && HTTP=$(ready helper http "") || fail "no local proxies"
sha() {
	sha256sum | cut -d' ' -f1
}
get() { # ARG...: status and body
	curl -sS --max-time 20 -w '%{http_code}\n' "$@" 2>&1
}
is() { # WHAT WANT GOT
	[ "$2" = "$3" ] || fail "$1: '$3', not '$2'"
}
BIG=$(curl -sS "http://127.0.0.1:$WEB/big" | sha)

note "SOCKS5 with curl"
is "an address" "hello 200" "$(get -x "socks5://$SOCKS" "http://127.0.0.1:$WEB/" | xargs)"
is "a name" "hello 200" "$(get -x "socks5h://$SOCKS" "http://localhost:$WEB/" | xargs)"
is "a service" "hello 200" "$(get -x "socks5h://$SOCKS" "http://web.culvert/" | xargs)"
is "10 MB" "$BIG" "$(curl -sS -x "socks5://$SOCKS" "http://127.0.0.1:$WEB/big" | sha)"
head -c 3000000 /dev/urandom >"$W/up"
is "3 MB up" "$(sha <"$W/up")" "$(curl -sS -x "socks5://$SOCKS" --data-binary "@$W/up" "http://127.0.0.1:$WEB/")"
is "sent ahead" ok "$(local_proxy early "$SOCKS" 127.0.0.1 "$WEB" 2>&1)"

note "what the policy denies, what is not there"
is "a rule" 2 "$(local_proxy connect "$SOCKS" 127.0.0.1 "$TWO" 2>&1)"
is "loopback by IPv6" 2 "$(local_proxy connect "$SOCKS" ::1 "$WEB" 2>&1)"
is "an address that is not named" 2 "$(local_proxy connect "$SOCKS" 169.254.169.254 80 2>&1)"
is "a service that is none" 2 "$(local_proxy connect "$SOCKS" nothing.culvert 80 2>&1)"
is "nobody listens" 5 "$(local_proxy connect "$SOCKS" 127.0.0.1 "$CLOSED" 2>&1)"
is "no such name" 4 "$(local_proxy connect "$SOCKS" nowhere.invalid 443 2>&1)"
is garbage ok "$(local_proxy garbage "$SOCKS" 2>&1)"
expect culvertd 5 "refused one to 127.0.0.1:$TWO: the server's target policy does not allow that address"

note "UDP ASSOCIATE"
is "by address" ok "$(local_proxy udp "$SOCKS" 127.0.0.1 "$ONE" 2>&1)"
is "by name" ok "$(local_proxy udp "$SOCKS" localhost "$ONE" 2>&1)"

note "HTTP with curl"
is "forwarded" "hello 200" "$(get -x "http://$HTTP" "http://localhost:$WEB/" | xargs)"
is "by CONNECT" "hello 200" "$(get -p -x "http://$HTTP" "http://127.0.0.1:$WEB/" | grep -v '^HTTP' | xargs)"
is "a service" "hello 200" "$(get -x "http://$HTTP" "http://web.culvert/" | xargs)"
is "HEAD" "200" "$(get -I -o "$W/head" -x "http://$HTTP" "http://127.0.0.1:$WEB/x?y")"
grep -q "X-Asked: HEAD /x?y 1.1 culvert -" "$W/head" || fail "the request was not asked on as it should: $(cat "$W/head")"
is "10 MB" "$BIG" "$(curl -sS -x "http://$HTTP" "http://127.0.0.1:$WEB/big" | sha)"
is "10 MB by CONNECT" "$BIG" "$(curl -sS -p -x "http://$HTTP" "http://127.0.0.1:$WEB/big" | sha)"
is "3 MB up" "$(sha <"$W/up")" "$(curl -sS -x "http://$HTTP" --data-binary "@$W/up" -H Expect: "http://127.0.0.1:$WEB/")"
is "3 MB up in chunks" "$(sha <"$W/up")" "$(curl -sS -x "http://$HTTP" --data-binary "@$W/up" -H Expect: -H "Transfer-Encoding: chunked" "http://127.0.0.1:$WEB/")"
is "denied" "culvert: the server's target policy does not allow that address (targets) 403" "$(get -x "http://$HTTP" "http://127.0.0.1:$TWO/" | tr '\n' ' ' | sed 's/ $//')"
case $(get -x "http://$HTTP" "http://127.0.0.1:$CLOSED/") in *"refused the connection"*502) ;; *) fail "nobody listens: $(get -x "http://$HTTP" "http://127.0.0.1:$CLOSED/")" ;; esac
is "not a proxy request" 404 "$(get -o /dev/null "http://$HTTP/")"

note "proxy.pac"
curl -sS "http://$HTTP/proxy.pac" >"$W/proxy.pac"
cat >"$W/pac.js" <<EOF
function dnsDomainIs(host, domain) { return host.endsWith(domain); }
eval(require("fs").readFileSync("$W/proxy.pac", "utf8") + "; globalThis.find = FindProxyForURL");
console.log(["a.example.org", "example.org", "sip.example.net", "example.net", "badexample.org"].map(h => find("https://" + h + "/", h)).join("|"));
EOF
is "what it says" "PROXY $HTTP|PROXY $HTTP|PROXY $HTTP|PROXY corp.example:8080|PROXY corp.example:8080" "$(node "$W/pac.js")"

note "logins"
helper_start closed --proxy "http://127.0.0.1:${PROXY_PORT[squid]}" -L socks5://127.0.0.1:0 -L http://127.0.0.1:0 --login-file "$W/logins"
SOCKS=$(ready closed socks5 "") && HTTP=$(ready closed http "") || fail "no local proxies"
LOGIN=$(cat "$W/logins")
curl -sS --max-time 10 -x "socks5://$SOCKS" "http://127.0.0.1:$WEB/" >/dev/null 2>&1 && fail "SOCKS5 without a login"
curl -sS --max-time 10 -x "socks5://app:wrong@$SOCKS" "http://127.0.0.1:$WEB/" >/dev/null 2>&1 && fail "SOCKS5 with a wrong one"
is "SOCKS5" "hello 200" "$(get -x "socks5://$LOGIN@$SOCKS" "http://127.0.0.1:$WEB/" | xargs)"
is "SOCKS5, UDP" ok "$(local_proxy udp "$SOCKS" 127.0.0.1 "$ONE" "$LOGIN" 2>&1)"
is "HTTP without" 407 "$(get -o /dev/null -x "http://$HTTP" "http://127.0.0.1:$WEB/")"
is "HTTP with a wrong one" 407 "$(get -o /dev/null -x "http://app:wrong@$HTTP" "http://127.0.0.1:$WEB/")"
is "HTTP" "hello 200" "$(get -x "http://$LOGIN@$HTTP" "http://127.0.0.1:$WEB/" | xargs)"
is "proxy.pac needs none" 200 "$(get -o /dev/null "http://$HTTP/proxy.pac")"
grep -q -F "${LOGIN#*:}" "$W"/*.err "$W"/*.out && fail "a login is in a log"

note "a reload, and the end"
sed -i 's/^targets.*/targets = { }/' "$W/culvertd.conf"
kill -HUP "$(cat "$W/culvertd.pid")"
expect culvertd 5 "were read again"
is "nothing is allowed now" 2 "$(local_proxy connect "$SOCKS" 127.0.0.1 "$WEB" 2>/dev/null || local_proxy connect "$(ready helper socks5 "")" 127.0.0.1 "$WEB" 2>&1)"
is "services are" "hello 200" "$(get -x "http://$LOGIN@$HTTP" "http://web.culvert/" | xargs)"
stop_expecting closed 0
stop_expecting helper 0
