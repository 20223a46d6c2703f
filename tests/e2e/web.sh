#!/usr/bin/env bash
# The browser library in node: each transport against a WebSocket server behind culvertd.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
make -s -C "$TOP" web || fail "client/web cannot be built"
credentials_make
launch target $PYTHON "$TOP/tests/tools/wsservice.py" serve 0
TARGET=$(ready target tcp wsservice) || fail "no target"
cat >"$W/culvertd.conf" <<END
rest = true
origins = { "https://app.example" }
service sig { target = "ws://$TARGET/janus" }
END
server_start culvertd -c "$W/culvertd.conf"
BEARER=$(head -n 1 "$W/token" | tr -d '\n' | base64 -w 0 | tr '+/' '-_' | tr -d =)
export NODE_EXTRA_CA_CERTS=$W/server.crt

library() { # TRANSPORT COUNT
	timeout 30 node "$TOP/tests/tools/webclient.mjs" "https://localhost:$SERVER_PORT/culvert" sig "$BEARER" "$@" >"$W/$1.out" 2>&1 ||
		fail "$1: $(cat "$W/$1.out")"
	note "$(tail -n 1 "$W/$1.out")"
}
for transport in poll stream sse; do
	library $transport 5000
done
[ "$(grep -c "^closed 4001" "$W/target.out")" = 3 ] || fail "closes: $(cat "$W/target.out")"
