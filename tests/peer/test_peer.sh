#!/bin/sh
# The peer against itself on loopback: its helper and its server, each rung, in order and with misbehaviour.
# Prints one line for each check and `N passed, N failed` at the end.  QUIET=1 shows failures only.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

make_secrets || { echo "cannot make a certificate"; exit 1; }
start_echo || exit 1

# pair LABEL RUNG LEAST OCTETS "HELPER OPTIONS" "SERVER OPTIONS"
pair() {
    # shellcheck disable=SC2086
    start_peer_server server 0 $6 || { fail "$1: server"; return; }
    # shellcheck disable=SC2086
    start_peer_helper helper "$(server_port server)" "$2" $5 || { fail "$1: helper"; stop helper; stop server; return; }
    traffic "$1" helper "$3" "$4"
    check "$1: helper ends in order" stop helper
    check "$1: server ends in order" stop server
    no_faults "$1" helper server
    rm -f "$TMP"/helper.* "$TMP"/server.*
}

# shellcheck disable=SC2317
# The server comes back with another epoch: the helper makes a new session behind the same local sockets.
restart() {
    stop server KILL
    start_peer_server server "$port"
}

restart_server() {
    if ! start_peer_server server 0 || ! start_peer_helper helper "$(server_port server)" "$1" --keepalive 1000; then
        fail "$1, restart"
        stop helper
        stop server
        return
    fi
    port=$(server_port server)
    through "$1, server restarted" 150 restart
    stop helper
    stop server
    no_faults "$1, server restarted" helper server
    rm -f "$TMP"/helper.* "$TMP"/server.*
}

# shellcheck disable=SC2154
# GOAWAY: the old channel goes on while new ones use a new session.
go_away() {
    if ! start_peer_server server 0 || ! start_peer_helper helper "$(server_port server)" "$1"; then
        fail "$1, GOAWAY"
        stop helper
        stop server
        return
    fi
    through "$1, GOAWAY" 400 kill -USR1 "$pid_server"
    check "$1, GOAWAY: a second session" test "$(grep -c "begin hello" "$TMP/helper.err")" -eq 2
    stop helper
    stop server
    no_faults "$1, GOAWAY" helper server
    rm -f "$TMP"/helper.* "$TMP"/server.*
}

count_lines selftest "$PYTHON" "$HERE/selftest.py"

if start_peer_server server 0; then
    count_lines probe "$PYTHON" "$HERE/probe.py" --server "https://127.0.0.1:$(server_port server)/culvert" \
        --cafile "$TMP/cert.pem" --token-file "$TMP/tokens"
    stop server
    rm -f "$TMP"/server.*
fi

for rung in duplex websocket split push poll; do
    pair "$rung" "$rung" 200 1000000 --prove ""
    pair "$rung, shuffled" "$rung" 195 200000 "--shuffle --long-varints" "--shuffle --long-varints"
    pair "$rung, narrow" "$rung" 200 300000 "--session-window 30000 --channel-window 9000 --channels 4" \
        "--session-window 20000 --channel-window 7000 --channels 12"
done
pair "duplex, broken off" duplex 40 200000 "--lose-every 3 --split-bytes 11" "--lose-every 4 --split-bytes 7"
pair "split, answers lost" split 100 200000 "--lose-every 3 --split-bytes 11" "--lose-every 4 --split-bytes 7"
pair "push, answers lost" push 100 200000 "--lose-every 6 --split-bytes 11" "--lose-every 7 --split-bytes 7"
pair "poll, answers lost" poll 100 200000 "--lose-every 6 --split-bytes 11" "--lose-every 7 --split-bytes 7"
pair "push, another clock" push 200 10000 "" "--clock 3600"
restart_server duplex
restart_server poll
go_away push
finish
