#!/usr/bin/env bash
# Credentials from culvertd that a real coturn believes: a relayed exchange by UDP through the helper and a Squid; none with others.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
credentials_make
TURN=$(free_port)
mkdir -p "$W/turn"
echo "north star of the relay" >"$W/turn/secret"
chmod 600 "$W/turn/secret"
launch coturn turnserver -n --listening-ip=127.0.0.1 --relay-ip=127.0.0.1 --listening-port="$TURN" --use-auth-secret --static-auth-secret="$(cat "$W/turn/secret")" \
	--realm=example.org --no-tls --no-dtls --no-cli --allow-loopback-peers --log-file=stdout --pidfile="$W/turn/pid" --userdb="$W/turn/db" --min-port=49152 --max-port=49252
await 10 answers "$TURN" || fail "coturn does not listen"
server_start culvertd --service "turn=udp://127.0.0.1:$TURN" --origins https://app.example --turn-secret-file "$W/turn/secret" \
	--turn-uris "turn:127.0.0.1:3478?transport=udp"
proxy_start squid squid "$SERVER_PORT"
helper_start helper --proxy "http://127.0.0.1:${PROXY_PORT[squid]}" -L udp://127.0.0.1:0=turn
PORT=$(port_of "$(helper_udp helper turn)")
JWT=$("$CULVERTD" jwt --token-file "$W/token" --identity tester --service turn) || fail "no JWT"
curl -sS --cacert "$W/server.crt" -H "Authorization: Bearer $JWT" -H "Origin: https://app.example" "https://localhost:$SERVER_PORT/culvert/v1/turn-credentials" \
	-D "$W/head" >"$W/credentials.json" || fail "no credentials"
grep -qi "^access-control-allow-origin: https://app.example" "$W/head" || fail "a page could not read them: $(cat "$W/head")"
note "$(json "$W/credentials.json" username), $(json "$W/credentials.json" ttl) s"
relay() { # PASSWORD: what the client of coturn's package says
	timeout 20 turnutils_uclient -y -n 20 -m 1 -c -u "$(json "$W/credentials.json" username)" -w "$1" -p "$PORT" 127.0.0.1 2>&1
}
relay "$(json "$W/credentials.json" password)" >"$W/relay.log" || fail "$(tail -n 5 "$W/relay.log")"
grep -q "tot_recv_msgs=.*[1-9]" "$W/relay.log" || grep -q "Total lost packets 0 " "$W/relay.log" || fail "nothing was relayed: $(tail -n 8 "$W/relay.log")"
note "$(grep -i "lost packets" "$W/relay.log" | tail -n 1)"
relay wrong-password >"$W/wrong.log" && fail "coturn takes any password"
grep -q "north star" "$W"/*.err && fail "the secret is in a log"
[ "$(curl -sS --cacert "$W/server.crt" -o /dev/null -w '%{http_code}' "https://localhost:$SERVER_PORT/culvert/v1/turn-credentials")" = 401 ] || fail "credentials for everybody"
stop_expecting helper 0
