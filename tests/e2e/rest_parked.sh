#!/usr/bin/env bash
# Signalling by REST: 2,000 answers that go on and have nothing to say: memory, processor time, and whether each is there when a message comes.
# seconds: 90
# alone
# long
. "$(dirname "$0")/e2e.sh"
credentials_make
launch target $PYTHON "$TOP/tests/tools/wsservice.py" serve 0
TARGET=$(ready target tcp wsservice) || fail "no target"
cat >"$W/culvertd.conf" <<END
rest = true
max-sessions = 3000
max-sessions-per-identity = 3000
max-connections = 8000
max-connections-per-address = 8000
service sig { target = "ws://$TARGET/" }
END
ulimit -n 20000 2>/dev/null
server_start culvertd -c "$W/culvertd.conf"
BEARER=$(head -n 1 "$W/token" | tr -d '\n' | base64 -w 0 | tr '+/' '-_' | tr -d =)
$PYTHON "$TOP/tests/tools/restpark.py" park "$SERVER_PORT" "$W/server.crt" "$BEARER" "${STREAMS:-2000}" "$(cat "$W/culvertd.pid")" sig stream >"$W/parked" ||
	fail "parking failed"
note "parked: $(cat "$W/parked")"
if culvertd_is_plain; then
	check "$(json "$W/parked" kib_each)" "<" 40 "KiB for each parked stream"
	check "$(json "$W/parked" cpu_percent)" "<" 2 "% CPU"
fi
check "$(json "$W/parked" woken)" == 50 "streams woken"
