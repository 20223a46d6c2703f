#!/usr/bin/env bash
# culvert doctor: its verdict agrees with what the proxies are known to do; it names what is wrong; its report has no secrets.
# seconds: 120
. "$(dirname "$0")/e2e.sh"
credentials_make
server_start culvertd --service udp=udp://127.0.0.1:9 --listen-http 127.0.0.1:0
HTTP_PORT=$(port_of "$(ready culvertd http culvertd)")
URL=https://localhost:$SERVER_PORT

doctor() { # NAME ARG...: in the background
	local name=$1
	shift
	launch "$name" "$CULVERT" doctor "$@"
}

ends() { # NAME STATUS PATTERN...: each of them is in what it printed
	local name=$1 status=$2 rc=0 pattern
	shift 2
	finish "$name" 100 || rc=$?
	[ $rc -eq "$status" ] || fail "$name ended with status $rc, not $status: $(tail -n 5 "$W/$name.out" "$W/$name.err")"
	for pattern in "$@"; do
		cat "$W/$name.out" "$W/$name.err" | grep -q -E -- "$pattern" || fail "$name did not say: $pattern
$(cat "$W/$name.out" "$W/$name.err")"
	done
}

says() { # NAME EXPRESSION...: about the JSON object j and its checks by name, c
	local name=$1
	shift
	$PYTHON - "$W/$name.out" "$@" <<'PYTHON' || fail "$name"
import json, sys
j = json.load(open(sys.argv[1]))
c = {check["name"]: check for check in j["checks"]}
for e in sys.argv[2:]:
    if not eval(e):
        sys.exit("not so: %s\n%s" % (e, json.dumps(j, indent=1)))
PYTHON
}

# ---- all the way, through each kind of proxy at the same time ----

proxy_start plain squid "443 $SERVER_PORT"
proxy_start bump squid-bump "443 $SERVER_PORT" "$SERVER_CERT"
proxy_start storefwd storefwd "" "$SERVER_CERT"
proxy_start mitm mitmproxy "" "$SERVER_CERT"
proxy_start basic squid-basic "443 $SERVER_PORT"
proxy_start denied squid "443"
proxy_start digest squid-digest-abs "443 $SERVER_PORT"
gone=$(free_port)
printf 'function FindProxyForURL(url, host) { return "PROXY 127.0.0.1:%s; PROXY 127.0.0.1:%s; DIRECT"; }\n' "$gone" "${PROXY_PORT[plain]}" >"$W/proxy.pac"
echo secret >"$W/password"
chmod 600 "$W/password"
doctor direct "$URL" --token-file "$W/token" --cafile "$SERVER_CERT" --json --seconds 1
for name in plain bump storefwd mitm; do
	doctor "on-$name" "$URL" --json --seconds 1 --report "$W/$name.report" --token-file "$W/token" \
		--proxy "http://127.0.0.1:${PROXY_PORT[$name]}" --cafile "${PROXY_CA[$name]:-$SERVER_CERT}"
done
printf 'server = "%s"\ntoken-file = "%s"\ncafile = "%s"\nproxy = "http://alice@127.0.0.1:%s"\nproxy-password-file = "%s"\nlocal = {"udp://127.0.0.1:0=udp"}\n' \
	"$URL" "$W/token" "$SERVER_CERT" "${PROXY_PORT[basic]}" "$W/password" >"$W/culvert.conf"
doctor on-basic -c "$W/culvert.conf" --seconds 1 --report "$W/basic.report"

doctor on-digest "$URL" --token-file "$W/token" --cafile "$SERVER_CERT" --seconds 1 --json --report "$W/digest.report" \
	--server-http "http://localhost:$HTTP_PORT" --proxy "http://alice@127.0.0.1:${PROXY_PORT[digest]}" --proxy-password-file "$W/password"
doctor on-pac "$URL" --token-file "$W/token" --cafile "$SERVER_CERT" --seconds 1 --json --report "$W/pac.report" --proxy-pac "$W/proxy.pac"

# ---- what is wrong, in words ----

usual=(--token-file "$W/token" --cafile "$SERVER_CERT")
"$CULVERTD" gen-token tester >"$W/other-token" && chmod 600 "$W/other-token"
launch portal $PYTHON "$PROXIES/scripted.py" page
doctor dead-proxy "$URL" "${usual[@]}" --proxy "http://127.0.0.1:$gone"
doctor wrong-token "$URL" --token-file "$W/other-token" --cafile "$SERVER_CERT"
doctor no-token "$URL" --cafile "$SERVER_CERT"
doctor wrong-port "https://localhost:$gone" "${usual[@]}"
doctor unknown-name "https://no-such-host.invalid" "${usual[@]}"
doctor unknown-ca "$URL" --token-file "$W/token"
doctor other-ca "$URL" "${usual[@]}" --proxy "http://127.0.0.1:${PROXY_PORT[bump]}"
doctor connect-denied "$URL" "${usual[@]}" --proxy "http://127.0.0.1:${PROXY_PORT[denied]}"
doctor password-wanted "$URL" "${usual[@]}" --proxy "http://127.0.0.1:${PROXY_PORT[basic]}"
doctor portal-login "$URL" "${usual[@]}" --proxy "http://$(ready portal tcp scripted)"
ends dead-proxy 1 "BROKEN +TCP .*nothing listens at the proxy 127.0.0.1:$gone" "Usable for calls: no\." "Not measured \(no connection\): Proxy, CONNECT"
ends wrong-token 1 "BROKEN +Server .*did not answer as a culvertd: wrong token" "Not measured \(the server does not accept our token\): Uploads" \
	"Usable for calls: no\."
ends no-token 1 "ok +TLS +TLSv1.3" "- +Server +no token was given.*cannot be measured" "Usable for calls: not known"
ends wrong-port 1 "BROKEN +TCP .*nothing listens at localhost:$gone" "Usable for calls: no\."
ends unknown-name 1 "BROKEN +DNS .*no-such-host.invalid"
ends unknown-ca 1 "BROKEN +TLS .*self-signed .*--cafile"
ends other-ca 1 "BROKEN +TLS .*signed by 'intercepting proxy CA', which is not trusted" "Box: 'intercepting proxy CA'"
ends connect-denied 1 "limited +CONNECT .*allows CONNECT to port 443 of localhost, but not to port $SERVER_PORT" "Box: Squid \(proxy.test\)" "acl SSL_ports" \
	"BROKEN +TLS .*makes no sealed session, which is needed because the proxy denies CONNECT.*--listen-http"
ends password-wanted 1 "BROKEN +Proxy .*wants credentials \(it offers: Basic\).*--proxy-password-file.*\(407\)"
ends portal-login 1 "BROKEN +CONNECT .*answer to CONNECT: is this a proxy"

doctor usage "$URL" --bogus
doctor two-urls "$URL" "$URL"
doctor no-url --json
doctor foreign-url ftp://localhost/
doctor no-file "$URL" --token-file "$W/no-such-file"
ends usage 2 "--bogus"
ends two-urls 2 "unexpected argument"
ends no-url 2 "--server is missing"
ends foreign-url 2 "must begin with https://"
ends no-file 2 "--token-file: .*no-such-file"

# ---- the verdicts ----

ends direct 0
says direct 'j["rung"] == "duplex"' 'j["usable"] == "yes"' 'j["mode"] == "direct"' 'c["certificate"]["outcome"] == "ok"' \
	'all(x["outcome"] in ("ok", "skipped") for x in j["checks"])' 'c["idle"]["outcome"] == "skipped"' \
	'j["call"]["received"] == j["call"]["sent"] == 50' 'j["call"]["mos"] > 4' '{x["rung"] for x in j["calls"]} == {"duplex", "split", "push", "poll"}' \
	'c["hold"]["figures"]["best_s"] == 20' 'c["parallel"]["figures"]["connections"] == 8'
ends on-plain 0
says on-plain 'j["rung"] == "duplex"' 'j["usable"] == "yes"' 'j["mode"] == "connect"' 'c["certificate"]["figures"]["intercepted"] == 0' \
	'set(j["findings"].values()) >= {"passes"}' 'c["websocket"]["outcome"] == "ok"' 'c["connect"]["outcome"] == "ok"'
ends on-bump 0
says on-bump 'j["rung"] == "duplex"' 'j["usable"] == "yes"' 'j["mode"] == "intercepted"' 'c["certificate"]["outcome"] == "limited"' \
	'c["certificate"]["box"] == "Squid (proxy.test)"' '"ssl_bump splice" in c["certificate"]["advice"]' 'c["websocket"]["outcome"] == "limited"' \
	'j["findings"]["up"] == j["findings"]["down"] == j["findings"]["duplex"] == "passes"'
ends on-mitm 0
says on-mitm 'j["rung"] == "websocket"' 'j["usable"] in ("yes", "limits")' 'j["mode"] == "intercepted"' 'c["certificate"]["box"] == "mitmproxy"' \
	'j["findings"]["up"] == j["findings"]["down"] == j["findings"]["down_sse"] == "held"' 'c["up"]["box"] == "mitmproxy"' \
	'c["hold"]["outcome"] == "ok"' '[x["rung"] for x in j["calls"]] == ["poll", "websocket"]' 'c["websocket"]["outcome"] == "ok"'
ends on-storefwd 0
says on-storefwd 'j["rung"] == "poll"' 'j["usable"] in ("yes", "limits")' 'j["mode"] == "intercepted"' 'j["findings"]["up"] == "refused"' \
	'j["findings"]["down"] == "held"' 'c["up"]["figures"]["status"] == 411' 'c["parallel"]["figures"]["connections"] == 2' \
	'c["http"]["figures"]["close"] == 1' 'c["bodies"]["figures"]["version_at_server"] == 1.0' 'c["websocket"]["outcome"] == "broken"' \
	'c["up"]["box"] == "'"'storefwd'"'"'
ends on-digest 0
says on-digest 'j["rung"] == "duplex"' 'j["usable"] == "yes"' 'j["mode"] == "absolute"' 'j["login"] == "Digest as alice"' \
	'c["proxy"]["outcome"] == "ok" and "by Digest (407)" in c["proxy"]["sentence"]' 'c["connect"]["outcome"] == "limited"' \
	'c["connect"]["figures"]["plain"] == 1' '"seals what is sent" in c["tls"]["sentence"]' 'j["certificate"]["expected"] == "yes"' \
	'c["server"]["sentence"].endswith("sealed")' 'c["parallel"]["figures"]["connections"] == 8' 'c["websocket"]["outcome"] == "skipped"'
ends on-pac 0
says on-pac 'j["rung"] == "duplex"' 'j["mode"] == "connect"' 'len(j["candidates"]) == 3 and j["candidates"][2] == "direct"' \
	'j["proxy"] == j["candidates"][1]' '"PAC" in j["proxy_from"]' '"passed over: " + j["candidates"][0] in c["proxy"]["sentence"]' \
	'c["proxy"]["figures"]["candidates"] == 3'
ends on-basic 0 "wants credentials, offers Basic: those of user 'alice'" "Culvert will use duplex here" "Usable for calls: yes\." "The report is in"

# ---- the reports ----

token=$(sed 's/^[^:]*://' "$W/token")
for name in plain bump storefwd mitm basic digest pac; do
	[ "$(stat -c %a "$W/$name.report")" = 600 ] || fail "others can read the report"
	grep -q "Culvert will use" "$W/$name.report" && grep -q '^{"version"' "$W/$name.report" || fail "the report of $name is not whole"
	! grep -q -i -E "$token|secret|Authorization:|$(printf 'alice:secret' | base64)" "$W/$name.report" || fail "a secret is in the report of $name"
	tail -n 1 "$W/$name.report" | $PYTHON -c 'import json, sys; json.load(sys.stdin)' || fail "the end of the report of $name is no JSON"
done
sids=$(grep -o -h -E '/culvert/v1/[A-Za-z0-9_-]{22}' "$W/bump/access.log" | sed 's,.*/,,' | sort -u)
[ -n "$sids" ] || fail "no session in the log of Squid"
for sid in $sids; do
	! grep -q -e "$sid" "$W/bump.report" || fail "a session identifier is in the report"
done

# ---- at a terminal the line of a check is drawn anew ----

$PYTHON - "$CULVERT" "$URL" "$SERVER_CERT" <<'PYTHON' || fail "at a terminal"
import os, pty, sys
seen = bytearray()
def read(fd):
    data = os.read(fd, 4096)
    seen.extend(data)
    return data
pty.spawn([sys.argv[1], "doctor", sys.argv[2], "--cafile", sys.argv[3]], read)
sys.exit(0 if b"\r\033[K  ...      WebSocket" in seen and b"\r\033[K  ok       WebSocket" in seen else 1)
PYTHON
