#!/usr/bin/env bash
# The first packet over a 30 ms link: within 3 round trips where the path streams, within 5 where not; the best rung within 5 s.
# seconds: 120
# alone: it measures time
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
. "$(dirname "$0")/e2e.sh"
DELAY=30          # ms one way
ROUND=$((2 * DELAY))
MACHINE=40        # ms that programs may take, all together
credentials_make
launch link "$TOOLS/linkem" --ns-a helper --ns-b proxy --create --delay $DELAY --stats "$W/link.json"
await 10 grep -q "^ready link" "$W/link.out" || fail "the link did not come up: $(cat "$W/link.err")"

cat >"$W/target.py" <<'PY' # says when something comes that did not come before: what, and the clock in ms
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("ready udp 127.0.0.1:%d target" % s.getsockname()[1], flush=True)
seen = set()
while True:
    what = s.recv(2048).split()[0]
    if what not in seen:
        seen.add(what)
        print("%s %d" % (what.decode(), time.time() * 1000), flush=True)
PY
cat >"$W/sender.py" <<'PY' # a packet every 10 ms, whether anybody is there or not
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
while True:
    try:
        s.send(sys.argv[2].encode() + b" packet")
    except ConnectionRefusedError:
        pass
    time.sleep(0.01)
PY
IN=proxy launch target $PYTHON "$W/target.py"
TARGET=$(ready target udp target) || fail "no target"
IN=proxy server_start culvertd --service "load=udp://$TARGET"
export PROXY_LISTEN=10.77.0.2:0
IN=proxy proxy_start squid-bump squid-bump "443 $SERVER_PORT" "$SERVER_CERT"
IN=proxy proxy_start mitmproxy mitmproxy "" "$SERVER_CERT"
IN=proxy proxy_start storefwd storefwd "" "$SERVER_CERT"

# The clock at the first line with a pattern in the log of a helper, in ms.
clock_of() { # NAME PATTERN
	grep -m 1 -E -- "$2" "$W/$1.err" | cut -d ' ' -f 1 | date -f - +%s%3N
}

came() { # NAME
	grep -q "^$1 " "$W/target.out"
}

settled() { # NAME RUNG: in use, and measured to be the best one
	"$CULVERT" status --json --control "$W/$1.control" >"$W/$1.status" 2>/dev/null &&
		[ "$(json "$W/$1.status" path.rung)" = "$2" ] && grep -q "the best rung is $2\$" "$W/$1.err"
}

measure() { # NAME PROXY RUNG ROUND-TRIPS
	local port ms measured
	port=$(free_port)
	IN=helper launch "$1-sender" $PYTHON "$W/sender.py" "$port" "$1"
	LOG_LEVEL=debug IN=helper helper_start "$1" --proxy "http://10.77.0.2:${PROXY_PORT[$2]}" --cafile "${PROXY_CA[$2]}" \
		--control "$W/$1.control" -L "udp://127.0.0.1:$port=load"
	await 10 came "$1" || fail "no packet came through $2"
	ms=$(($(awk -v n="$1" '$1 == n { print $2 }' "$W/target.out") - $(clock_of "$1" " dial .*: hop -> over$")))
	note "$1: the first packet came $ms ms after the first connection stood"
	check "$ms" "<=" $(($4 * ROUND + MACHINE)) "ms to the first packet through $2 ($4 round trips)"
	await 15 settled "$1" "$3" || fail "$2: not $3: $(tail -n 1 "$W/$1.status")"
	ms=$(json "$W/$1.status" path.rung_after_ms) measured=$(($(clock_of "$1" "the best rung is") - $(clock_of "$1" .)))
	note "$1: $3 after $ms ms, measured to be the best one after $measured ms"
	check "$ms" "<=" 5000 "ms to the best rung through $2"
	check "$measured" "<=" 5000 "ms until it was known that there is no better one than $3 through $2"
	stop "$1-sender" || :
	stop_expecting "$1" 0
}

for try in 1 2 3; do
	measure "squid-bump-$try" squid-bump duplex 3
	measure "mitmproxy-$try" mitmproxy poll 5
	measure "storefwd-$try" storefwd poll 5
done
