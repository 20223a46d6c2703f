#!/bin/sh
# The peer against the real programs on loopback: its helper with culvertd, culvert with its server, each rung.
# Prints one line for each check and `N passed, N failed` at the end.  QUIET=1 shows failures only; KEEP=DIR keeps
# what the programs of a failed part said.  CULVERT and CULVERTD name the programs, RUNGS the rungs; PROBES= leaves out
# what has no rung.

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
CULVERT=${CULVERT:-$ROOT/bin/culvert}
CULVERTD=${CULVERTD:-$ROOT/bin/culvertd}
RUNGS=${RUNGS-duplex websocket split push poll}
PROBES=${PROBES-yes}
# shellcheck source=lib.sh
. "$HERE/lib.sh"

make_secrets || { echo "cannot make a certificate"; exit 1; }
start_echo || exit 1

# start_culvertd NAME PORT [OPTION...]
start_culvertd() {
    server=$1 port=$2
    shift 2
    # shellcheck disable=SC2046
    start "$server" "$CULVERTD" $(server_options "$port") --admin none "$@"
    await "$server" "^ready https"
}

# start_culvert NAME SERVERPORT RUNG [OPTION...]
start_culvert() {
    helper=$1 port=$2 rung=$3
    shift 3
    start "$helper" "$CULVERT" --control none --state none --server "https://127.0.0.1:$port/culvert" --token-file "$TMP/token" \
        --cafile "$TMP/cert.pem" --rung "$rung" -L udp://127.0.0.1:0=rtp -L tcp://127.0.0.1:0=sig \
        -L tcp://127.0.0.1:0=half -L tcp://127.0.0.1:0=dead "$@"
    await "$helper" "^ready .* dead$" 20
}

# Keeps the output of both ends when there were failures since $1, and removes it.
tidy() {
    if [ -n "${KEEP:-}" ] && [ "$FAILED" -gt "$1" ]; then
        mkdir -p "$KEEP"
        for file in "$TMP"/helper.* "$TMP"/server.*; do
            [ -e "$file" ] && cp "$file" "$KEEP/$(echo "$2" | tr -c 'a-z0-9\n' _).$(basename "$file")"
        done
    fi
    rm -f "$TMP"/helper.* "$TMP"/server.*
}

# with_culvertd LABEL RUNG LEAST OCTETS [HELPER OPTION...]: the peer's helper and culvertd
with_culvertd() {
    what_rung=$2 least=$3 octets=$4 before=$FAILED
    run="peer - culvertd, $1"
    shift 4
    start_culvertd server 0 || { fail "$run: culvertd does not start: $(tail -n 1 "$TMP/server.err")"; return; }
    if start_peer_helper helper "$(server_port server)" "$what_rung" "$@" 2>/dev/null; then
        traffic "$run" helper "$least" "$octets"
        check "$run: helper ends in order" stop helper
        no_faults "$run" helper
    else
        fail "$run: no WELCOME: $(tail -n 1 "$TMP/helper.err")"
        stop helper
    fi
    check "$run: culvertd ends in order" stop server
    tidy "$before" "$run"
}

# with_culvert LABEL RUNG LEAST OCTETS [SERVER OPTION...]: culvert and the peer's server
with_culvert() {
    what_rung=$2 least=$3 octets=$4 before=$FAILED
    run="culvert - peer, $1"
    shift 4
    start_peer_server server 0 "$@" || { fail "$run: the peer's server does not start"; return; }
    if start_culvert helper "$(server_port server)" "$what_rung" 2>/dev/null; then
        traffic "$run" helper "$least" "$octets"
        check "$run: culvert ends in order" stop helper
    else
        fail "$run: no WELCOME: $(tail -n 1 "$TMP/helper.err")"
        stop helper
    fi
    stop server
    no_faults "$run" server
    tidy "$before" "$run"
}

# shellcheck disable=SC2317
restart_culvertd() {
    stop server KILL
    start_culvertd server "$restart_port"
}

# shellcheck disable=SC2317
restart_peer() {
    stop server KILL
    start_peer_server server "$restart_port"
}

# Restarts and, with the peer's server, GOAWAY.
culvertd_comes_back() {
    before=$FAILED run="peer - culvertd, $1, culvertd restarted"
    if ! start_culvertd server 0 ||
        ! start_peer_helper helper "$(server_port server)" "$1" --keepalive 1000 --prove; then
        fail "$run: no start"
        stop helper
        stop server
        tidy "$before" "$run"
        return
    fi
    restart_port=$(server_port server)
    through "$run" 100 restart_culvertd
    stop helper
    stop server
    no_faults "$run" helper
    tidy "$before" "$run"
}

peer_comes_back() {
    before=$FAILED run="culvert - peer, $1, server restarted"
    if ! start_peer_server server 0 || ! start_culvert helper "$(server_port server)" "$1"; then
        fail "$run: no start"
        stop helper
        stop server
        tidy "$before" "$run"
        return
    fi
    restart_port=$(server_port server)
    through "$run" 100 restart_peer
    stop helper
    stop server
    no_faults "$run" server
    tidy "$before" "$run"
}

peer_goes_away() {
    before=$FAILED run="culvert - peer, $1, GOAWAY"
    if ! start_peer_server server 0 || ! start_culvert helper "$(server_port server)" "$1"; then
        fail "$run: no start"
        stop helper
        stop server
        tidy "$before" "$run"
        return
    fi
    through "$run" 395 kill -USR1 "$pid_server"
    stop helper
    stop server
    no_faults "$run" server
    tidy "$before" "$run"
}

probes() {
    before=$FAILED
    if start_culvertd server 0 --max-channels 20; then
        count_lines "probe - culvertd" "$PYTHON" "$HERE/probe.py" --cafile "$TMP/cert.pem" --token-file "$TMP/tokens" \
            --server "https://127.0.0.1:$(server_port server)/culvert"
        count_lines "probe, HTTP/2 - culvertd" "$PYTHON" "$HERE/probe_h2.py" --cafile "$TMP/cert.pem" --token-file "$TMP/tokens" \
            --server "https://127.0.0.1:$(server_port server)/culvert"
        check "probe - culvertd: culvertd ends in order" stop server
    else
        fail "culvertd does not start: $(tail -n 1 "$TMP/server.err")"
    fi
    tidy "$before" probe
}

if [ -x "$CULVERTD" ]; then
    [ -z "$PROBES" ] || probes
    for rung in $RUNGS; do
        with_culvertd "$rung" "$rung" 200 1000000 --prove
        with_culvertd "$rung, shuffled, long varints" "$rung" 195 200000 --prove --shuffle --long-varints
        with_culvertd "$rung, answers lost, in pieces" "$rung" 40 200000 --prove --lose-every 5 --split-bytes 11
        with_culvertd "$rung, narrow" "$rung" 200 300000 --prove --session-window 30000 --channel-window 9000
        with_culvertd "$rung, without marks" "$rung" 200 300000
        culvertd_comes_back "$rung"
    done
else
    echo "skipped: there is no $CULVERTD"
fi

if [ -x "$CULVERT" ]; then
    [ -z "$PROBES" ] || with_culvert "another clock" poll 200 10000 --clock 3600
    for rung in $RUNGS; do
        with_culvert "$rung" "$rung" 200 1000000
        with_culvert "$rung, shuffled, long varints" "$rung" 195 200000 --shuffle --long-varints
        with_culvert "$rung, answers lost, in pieces" "$rung" 40 200000 --lose-every 7 --split-bytes 7
        with_culvert "$rung, narrow" "$rung" 200 300000 --session-window 20000 --channel-window 7000 --channels 14
        peer_comes_back "$rung"
        peer_goes_away "$rung"
    done
else
    echo "skipped: there is no $CULVERT"
fi
finish
