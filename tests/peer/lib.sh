# shellcheck shell=sh disable=SC2154
# Shell functions of test_peer.sh and interop.sh: processes, ports, results.  Sourced, not run.

PYTHON=${PYTHON:-/usr/bin/python3}
PEER="$HERE/culvert_peer.py"
ECHO="$HERE/echo.py"
TMP=$(mktemp -d "${TMPDIR:-/tmp}/culvert-peer.XXXXXX") || exit 1
PIDS=
PASSED=0
FAILED=0

# Ends the processes that were started here, by their ids, and removes the directory.
clean_up() {
    for pid in $PIDS; do
        kill "$pid" 2>/dev/null
    done
    for pid in $PIDS; do
        wait "$pid" 2>/dev/null
    done
    rm -rf "$TMP"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

pass() {
    PASSED=$((PASSED + 1))
    [ -z "${QUIET:-}" ] && echo "ok   $*"
    return 0
}

fail() {
    FAILED=$((FAILED + 1))
    echo "FAIL $*"
}

# check LABEL COMMAND...: the command must succeed.
check() {
    label=$1
    shift
    if "$@" 2>"$TMP/check.err"; then
        pass "$label"
    else
        fail "$label: $(tail -n 1 "$TMP/check.err")"
    fi
}

# start NAME COMMAND...: in the background; PID of it in pid_NAME, output in $TMP/NAME.out and .err
start() {
    name=$1
    shift
    : >"$TMP/$name.out"
    "$@" >"$TMP/$name.out" 2>>"$TMP/$name.err" &
    eval "pid_$name=$!"
    PIDS="$PIDS $!"
}

# forget PID: it has ended and was waited for.
forget() {
    kept=
    for pid in $PIDS; do
        [ "$pid" = "$1" ] || kept="$kept $pid"
    done
    PIDS=$kept
}

# stop NAME [SIGNAL]: ends it and waits; its status is returned.
stop() {
    eval "pid=\${pid_$1:-}"
    [ -n "$pid" ] || return 1
    eval "pid_$1="
    kill -"${2:-TERM}" "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    status=$?
    forget "$pid"
    return $status
}

# await NAME TEXT [SECONDS]: until TEXT is in its output.
await() {
    tries=$((${3:-10} * 10))
    while [ $tries -gt 0 ]; do
        grep -q -e "$2" "$TMP/$1.out" 2>/dev/null && return 0
        tries=$((tries - 1))
        sleep 0.1
    done
    echo "no line \"$2\" from $1" >&2
    tail -n 3 "$TMP/$1.err" >&2
    return 1
}

# local_port NAME SERVICE: from a line `ready udp 127.0.0.1:PORT SERVICE`.
local_port() {
    sed -n "s/^ready [a-z]* 127\.0\.0\.1:\([0-9]*\) $2\$/\1/p" "$TMP/$1.out" | head -n 1
}

echo_port() {
    sed -n "s/^ready $1 //p" "$TMP/echo.out"
}

# A certificate for 127.0.0.1 and a token file with two identities.
make_secrets() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 \
        -addext subjectAltName=IP:127.0.0.1 -keyout "$TMP/key.pem" -out "$TMP/cert.pem" 2>/dev/null || return 1
    printf '# name:token\nalice:%s\nbob:%s\n' "$(openssl rand -hex 24)" "$(openssl rand -hex 24)" >"$TMP/tokens"
    head -n 2 "$TMP/tokens" >"$TMP/token"
    chmod 600 "$TMP/tokens" "$TMP/token"
}

# Echo services, and a port at which nothing listens.
start_echo() {
    start echo "$PYTHON" "$ECHO" serve
    await echo "^ready half"
}

# The options that culvertd and the peer's server have in common; the listening port is $1.
server_options() {
    echo --listen "127.0.0.1:$1" --cert "$TMP/cert.pem" --key "$TMP/key.pem" --token-file "$TMP/tokens" \
        --service "rtp=udp://127.0.0.1:$(echo_port udp)" --service "sig=tcp://127.0.0.1:$(echo_port tcp)" \
        --service "half=tcp://127.0.0.1:$(echo_port half)" --service "dead=tcp://127.0.0.1:$(echo_port dead)"
}

# start_peer_server NAME PORT [OPTION...]
start_peer_server() {
    server=$1 port=$2
    shift 2
    # shellcheck disable=SC2046
    start "$server" "$PYTHON" "$PEER" server $(server_options "$port") --verbose "$@"
    await "$server" "^ready https"
}

# start_peer_helper NAME SERVERPORT RUNG [OPTION...]
start_peer_helper() {
    helper=$1 port=$2 rung=$3
    shift 3
    start "$helper" "$PYTHON" "$PEER" helper --server "https://127.0.0.1:$port/culvert" --cafile "$TMP/cert.pem" \
        --token-file "$TMP/token" --rung "$rung" --udp 0=rtp --tcp 0=sig --tcp 0=half --tcp 0=dead --verbose "$@"
    await "$helper" "^ready .* dead$" 20
}

server_port() {
    local_port "$1" culvertd
}

# traffic LABEL HELPERNAME LEAST OCTETS: datagrams, bytes, half-close, refusal, reset.
traffic() {
    check "$1: 200 datagrams" "$PYTHON" "$ECHO" udp "$(local_port "$2" rtp)" 200 "$3"
    check "$1: $4 bytes" "$PYTHON" "$ECHO" tcp "$(local_port "$2" sig)" "$4"
    check "$1: half-close" "$PYTHON" "$ECHO" half "$(local_port "$2" half)" 100000
    check "$1: target refuses" "$PYTHON" "$ECHO" refused "$(local_port "$2" dead)"
    check "$1: reset" "$PYTHON" "$ECHO" reset "$(local_port "$2" sig)"
    check "$1: ten at once" "$PYTHON" "$ECHO" many "$(local_port "$2" sig)" 20000
}

# through LABEL LEAST COMMAND...: of 400 datagrams in 8 s some of the last must come back, and LEAST altogether,
# although COMMAND is run after 1.5 s; new streams must work after that.
through() {
    through_label=$1 through_least=$2
    shift 2
    ECHO_PAUSE=0.02 start datagrams "$PYTHON" "$ECHO" udp "$(local_port helper rtp)" 400 "$through_least"
    sleep 1.5
    "$@" || fail "$through_label: $*"
    wait "$pid_datagrams"
    status=$?
    forget "$pid_datagrams"
    check "$through_label: datagrams go on: $(tail -n 1 "$TMP/datagrams.err")" test $status -eq 0
    rm -f "$TMP"/datagrams.*
    check "$through_label: new streams" "$PYTHON" "$ECHO" tcp "$(local_port helper sig)" 50000
}

# count_lines LABEL COMMAND...: the command prints `ok NAME` and `not ok NAME`.
count_lines() {
    label=$1
    shift
    "$@" >"$TMP/lines" 2>"$TMP/lines.err"
    while read -r first rest; do
        case $first in
            ok) pass "$label: $rest" ;;
            *) fail "$label: ${rest#ok }" ;;
        esac
    done <"$TMP/lines"
    [ -s "$TMP/lines" ] || fail "$label: $(tail -n 1 "$TMP/lines.err")"
}

# no_faults LABEL NAME...: none of these has met an exception that it did not expect or a peer that broke the protocol.
no_faults() {
    faults_label=$1
    shift
    for name in "$@"; do
        if grep -q -e Traceback "$TMP/$name.err"; then
            fail "$faults_label: $name: $(grep -A 40 -e Traceback "$TMP/$name.err" | tail -n 1)"
        elif grep -q -e 'Malformed(' -e 'ChannelError(' "$TMP/$name.err"; then
            fail "$faults_label: $name: $(grep -e 'Malformed(' -e 'ChannelError(' "$TMP/$name.err" | head -n 1)"
        else
            pass "$faults_label: $name met no fault"
        fi
    done
}

finish() {
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" -eq 0 ]
    exit
}
