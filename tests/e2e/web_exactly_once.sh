#!/usr/bin/env bash
# 100,000 messages of the browser library through cuts, lost and repeated requests, sleep and reloads: each once, in order; then an honest close.
# long
# seconds: 1500
# alone
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/web/chaos.sh"
make -s -C "$TOP" web || fail "client/web cannot be built"
RANDOM=${SEED:-7}
chaos_ends
export NODE_EXTRA_CA_CERTS=${PROXY_CA[nasty]}

# A client in node; its messages must all come back once, its session must end honestly when the server is started again.
through() { # TRANSPORT COUNT
	launch client node "$TOP/tests/web/once_node.mjs" "${PROXY_PORT[nasty]}" "$SERVER_PORT" "$BEARER" "$2" "$1"
	chaos_until client
	grep -q "^all $2 " "$W/client.out" || fail "$1: $(tail -n 1 "$W/client.out")"
	note "$(grep "^all" "$W/client.out"); $FAULTS faults, $RELOADS reloads, $SLEPT sleeps; $(chaos_counts)"
	restart
	finish client 60 || fail "$1: the client has status $?: $(tail -n 1 "$W/client.out")"
	[ "$(tail -n 1 "$W/client.out")" = "closed 1006 false" ] || fail "$1: $(tail -n 1 "$W/client.out")"
	mv "$W/client.out" "$W/client.$1.out"
}
restart() {
	stop culvertd
	server_start culvertd -c "$W/culvertd.conf" "$@"
}

SLEEPS="3 20 5 20" through all "${COUNT:-50000}"
SLEEPS="3 20" through poll "${COUNT:-25000}"
SLEEPS="3 20" through stream "${COUNT:-25000}"
check "$(chaos_own_copies)" ">=" "${LOST_MIN:-100}" "requests and answers were lost"
