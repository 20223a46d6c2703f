#!/usr/bin/env bash
# The store-and-forward proxy over a 30 ms link, nothing prescribed: added delay p50 <= 1.2 E, p99 <= 2 E, nothing lost (E: an empty exchange).
# seconds: 90
# alone: it measures time
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
. "$(dirname "$0")/e2e.sh"
DELAY=30 # ms one way
credentials_make
launch link "$TOOLS/linkem" --ns-a helper --ns-b proxy --create --delay $DELAY --stats "$W/link.json"
await 10 grep -q "^ready link" "$W/link.out" || fail "the link did not come up: $(cat "$W/link.err")"

# The far side of the link: media server, culvertd and the proxy.
launch_fed load "$TOOLS/rtpload" --dest - --sink 127.0.0.1:0 --ns helper --sink-ns proxy --for "${LOAD_SECONDS:-20}" --warmup 2 --drain 2
LOAD_TARGET=$(ready load udp sink) || fail "no load"
cat >"$W/culvertd.conf" <<CONF
service load { target = "udp://$LOAD_TARGET" deadline-ms = 2000 }
service tight { target = "udp://$LOAD_TARGET" deadline-ms = 20 }
CONF
IN=proxy server_start culvertd -c "$W/culvertd.conf"
IN=proxy PROXY_LISTEN=10.77.0.2:0 proxy_start storefwd storefwd "" "$SERVER_CERT"
PROXY=http://10.77.0.2:${PROXY_PORT[storefwd]}

empty_exchange() { # prints ms, connection set-up included
	ip netns exec helper curl -s -o /dev/null -w '%{http_code} %{time_total}\n' -x "$PROXY" --cacert "${PROXY_CA[storefwd]}" \
		"https://localhost:$SERVER_PORT/healthz" | awk '$1 == 200 { print $2 * 1000 }'
}
for i in {1..20}; do
	empty_exchange
done | sort -n >"$W/exchanges"
[ "$(wc -l <"$W/exchanges")" -eq 20 ] || fail "only $(wc -l <"$W/exchanges") of 20 empty exchanges were answered 200"
E=$(sed -n 10p "$W/exchanges")
note "E: median of 20 empty exchanges: $E ms (least $(head -n 1 "$W/exchanges"), most $(tail -n 1 "$W/exchanges"))"

IN=helper helper_start helper --proxy "$PROXY" --cafile "${PROXY_CA[storefwd]}" -L udp://127.0.0.1:0=load -L udp://127.0.0.1:0=tight
LOCAL=$(helper_udp helper load)
ip netns exec helper $PYTHON - "$LOCAL" <<'PY' # until the way stands
import socket, sys, time
host, port = sys.argv[1].split(":")
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(20):
    s.sendto(b"first", (host, int(port)))
    time.sleep(0.1)
PY
expect helper 20 "connected to .* by poll"
proxy_mark storefwd
tell load "$LOCAL run"
told load run 60 >"$W/run.json" || fail "no result of the load: $(cat "$W/load.err")"
note "exchanges in the proxy's log (connects tunnels exchanges): $(proxy_count storefwd)"
cat "$W/load.err" >&2
drops_by_deadline() { # FILE: counted at the server: what waited there too long, and what came too late
	"$CULVERTD" status --json --admin "$W/culvertd.sock" >"$1" || fail "no status: $(cat "$1")"
	echo $(($(json "$1" counters.dropped_queue_deadline) + $(json "$1" counters.dropped_late)))
}
[ "$(drops_by_deadline "$W/status.load")" -eq 0 ] || fail "packets dropped by a deadline of 2 s"
for way in up down; do
	p50=$(json "$W/run.json" $way.p50_ms) p99=$(json "$W/run.json" $way.p99_ms)
	note "$way: p50 $p50 ms, p99 $p99 ms; added, in E: $(awk -v a="$p50" -v b="$p99" -v e="$E" -v d=$DELAY 'BEGIN { printf "%.2f %.2f", (a - d) / e, (b - d) / e }')"
	check "$(json "$W/run.json" $way.lost)" "==" 0 "packets lost $way"
	check "$(awk -v p="$p50" -v d=$DELAY 'BEGIN { print p - d }')" "<=" "$(awk -v e="$E" 'BEGIN { print 1.2 * e }')" "added delay $way, median (1.2 E)"
	check "$(awk -v p="$p99" -v d=$DELAY 'BEGIN { print p - d }')" "<=" "$(awk -v e="$E" 'BEGIN { print 2 * e }')" "added delay $way, p99 (2 E)"
done
expect helper 1 "the best rung is poll"
check "$(grep -c " refused " "$W/storefwd/exchanges.log")" "<=" 10 "refusals until the limit of two was learned"

# With a deadline shorter than an exchange packets are dropped, and counted as that.
tell load "$(helper_udp helper tight) tight for=4"
told load tight 60 >"$W/tight.json" || fail "no result of the load: $(cat "$W/load.err")"
check "$(json "$W/tight.json" down.lost)" ">=" 100 "packets dropped with a deadline of 20 ms"
check "$(drops_by_deadline "$W/status.tight")" ">=" 100 "packets that the server counts as dropped by their deadline"
check "$(json "$W/tight.json" up.max_ms)" "<=" 300 "the latest packet with a deadline of 20 ms"
stop_expecting helper 0
