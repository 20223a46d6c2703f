#!/usr/bin/env bash
# A reader of an answer that goes on vanishes without a word: keepalives stay unacknowledged, the session expires; one that comes back in time goes on.
# seconds: 120
# long
if [ -z "${IN_NAMESPACE:-}" ]; then
	NO_LINK=1 IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
fi
. "$(dirname "$0")/e2e.sh"
NEAR=10.93.7.2 FAR=10.93.7.1
ip netns add near || fail "no namespaces"
ip link add to-near type veth peer name to-far netns near || fail "no link"
ip addr add $FAR/24 dev to-near && ip link set to-near up || fail "no address"
ip -n near addr add $NEAR/24 dev to-far && ip -n near link set to-far up && ip -n near link set lo up || fail "no address"
SERVER_NAME=$FAR credentials_make
launch target $PYTHON "$TOP/tests/tools/wsservice.py" serve 0
TARGET=$(ready target tcp wsservice) || fail "no target"
printf 'rest = true\nrest-expire = 5\nservice sig { target = "ws://%s/" }\n' "$TARGET" >"$W/culvertd.conf"
SERVER_HOST=$FAR server_start culvertd -c "$W/culvertd.conf"
(umask 077; printf 'Authorization: Bearer %s\nContent-Type: application/json\n' "$("$CULVERTD" jwt --token-file "$W/token")" >"$W/h")
session() { # sets S
	S=https://$FAR:$SERVER_PORT/culvert/v1/$(head -c 16 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d =)/signal/sig
	curl -sS -f --cacert "$W/server.crt" -H @"$W/h" -X PUT "$S" >"$W/said" || fail "no session"
}
read_on() { # NAME VERSION
	IN=near launch "$1" curl -sS -N --cacert "$W/server.crt" -H @"$W/h" -H "Accept: text/event-stream" $2 "$S?keepalive=2"
	await 10 grep -q '"n":2' "$W/$1.out" || fail "$1: no stream"
}
sessions() {
	"$CULVERTD" status --json --admin "$W/culvertd.sock" | $PYTHON -c 'import json, sys; print(len(json.load(sys.stdin)["sessions"]))'
}
are() { # N
	[ "$(sessions)" -eq "$1" ]
}

session
read_on back --http1.1
session
read_on one --http1.1
session
read_on two --http2
are 3 || fail "$(sessions) sessions"
# Away for 15 s: whoever is there again by then has lost nothing.
ip link set to-near down
curl -sS -f --cacert "$W/server.crt" -H @"$W/h" -d '{"seq":1,"quiet":true,"messages":["while you were away"]}' "$S" >"$W/said" || fail "no POST"
sleep 15
are 3 || fail "a session ended within 15 s"
ip link set to-near up
await 20 grep -q "^data: while you were away" "$W/two.out" || fail "it did not go on: $(cat "$W/two.out")"
sleep 6
are 3 || fail "a session ended though its reader was back"
# Away for good.
ip link set to-near down
began=$SECONDS
await 60 are 0 || fail "$(sessions) sessions are left, after 60 s without their readers"
took=$((SECONDS - began))
check $took ">" 25 "seconds until the sessions ended"
note "they ended after $took s"
