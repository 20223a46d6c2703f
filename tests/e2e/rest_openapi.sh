#!/usr/bin/env bash
# Signalling by REST: each request that server/openapi.yaml describes, its statuses, headers and bodies, and nothing that it does not describe.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
credentials_make
"$CULVERTD" gen-token other >>"$W/token" || fail "gen-token"
launch target $PYTHON "$TOP/tests/tools/wsservice.py" serve 0
TARGET=$(ready target tcp wsservice) || fail "no target"
SILENT=$(free_port) SLOW=$(free_port)
echo "a secret of the TURN server" >"$W/turn.secret"
chmod 600 "$W/turn.secret"
cat >"$W/culvertd.conf" <<END
origins = { "https://app.example" }
max-sessions-per-identity = 12
turn-secret-file = "$W/turn.secret"
turn-uris = { "turn:127.0.0.1:3478?transport=udp" }
service sig { target = "ws://$TARGET/" }
service nothing { target = "ws://127.0.0.1:1/" }
service silent { target = "ws://127.0.0.1:$SILENT/" }
service stuck { target = "tcp://127.0.0.1:$SILENT" framing = line }
service slow { target = "ws://127.0.0.1:$SLOW/" }
END
server_start culvertd -c "$W/culvertd.conf"
bearer() { # NAME
	grep "^$1:" "$W/token" | tr -d '\n' | base64 -w 0 | tr '+/' '-_' | tr -d =
}
JWT=$("$CULVERTD" jwt --token-file "$W/token" --identity tester --service lobby) || fail "no JWT"
launch check $PYTHON "$TOP/tests/tools/openapi.py" check "$TOP/server/openapi.yaml" "$SERVER_PORT" "$W/server.crt" "$(bearer tester)" "$(bearer other)" \
	"$JWT" "$SILENT" "$SLOW"
until grep -q -x stop "$W/check.out"; do
	running check || fail "$(tail -n 20 "$W/check.err")"
	sleep 0.1
done
sleep 0.3
stop culvertd
finish check 20 || fail "$(tail -n 20 "$W/check.err")"
note "$(tail -n 1 "$W/check.out")"

# What the administrator finds in the log, and what a server says that has it off.
grep -q "refused a page of https://evil.example: .*add --origins https://evil.example" "$W/culvertd.err" || fail "the log does not name the origin"
server_start off --rest=false --service "sig=ws://$TARGET/"
[ "$(curl -sS --cacert "$W/server.crt" -o /dev/null -w '%{http_code}' -X PUT "https://localhost:$SERVER_PORT/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA/signal/sig")" = 404 ] ||
	fail "it is off, and answers"
await 5 grep -q "signalling by REST is off here: set rest = true" "$W/off.err" || fail "the log does not say that it is off"
