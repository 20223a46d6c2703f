#!/usr/bin/env bash
# Sealed, in absolute form, through the store-and-forward proxy that denies CONNECT, over a 30 ms link: p50 <= 80 ms, late <= 2 %, nothing lost.
# seconds: 80
# alone: it measures time
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
. "$(dirname "$0")/e2e.sh"
DELAY=30 # ms one way
credentials_make
launch link "$TOOLS/linkem" --ns-a helper --ns-b proxy --create --delay $DELAY --stats "$W/link.json"
await 10 grep -q "^ready link" "$W/link.out" || fail "the link did not come up: $(cat "$W/link.err")"

# The far side of the link: media server, culvertd and the proxy: HTTP/1.0, one exchange for each connection, two connections.
launch_fed load "$TOOLS/rtpload" --dest - --sink 127.0.0.1:0 --ns helper --sink-ns proxy --for "${LOAD_SECONDS:-20}" --warmup 2 --drain 2
LOAD_TARGET=$(ready load udp sink) || fail "no load"
IN=proxy launch tcp-echo $PYTHON "$TOP/tests/tools/signalling.py" serve
TCP_TARGET=$(ready tcp-echo tcp echo) || fail "no TCP echo"
IN=proxy SERVER_PLAIN=1 server_start culvertd --service "load=udp://$LOAD_TARGET" --service "sig=tcp://$TCP_TARGET"
IN=proxy PROXY_LISTEN=10.77.0.2:0 proxy_start storefwd storefwd-abs "" "$SERVER_CERT"
PROXY=http://10.77.0.2:${PROXY_PORT[storefwd]}
ip netns exec helper curl -s -o "$W/healthz" -x "$PROXY" "http://localhost:$SERVER_HTTP_PORT/healthz" || fail "nothing passes in absolute form"

IN=helper helper_start helper --proxy "$PROXY" --server-http "http://localhost:$SERVER_HTTP_PORT" --control "$W/control" \
	-L udp://127.0.0.1:0=load -L tcp://127.0.0.1:0=sig
SIG=$(helper_tcp helper sig)
IN=helper launch stand $PYTHON "$TOP/tests/tools/signalling.py" check "$SIG" --bytes 2000 --timeout 30
finish stand 40 || fail "no signalling: $(cat "$W/stand.out")"
expect helper 20 "connected to .* by poll"
proxy_mark storefwd
IN=helper launch signalling $PYTHON "$TOP/tests/tools/signalling.py" check "$SIG" --bytes 100000 --seconds 18 --timeout 30
tell load "$(helper_udp helper load) run"
told load run 60 >"$W/run.json" || fail "no result of the load: $(cat "$W/load.err")"
finish signalling 30 || fail "signalling is not intact: $(cat "$W/signalling.out")"
cat "$W/load.err" >&2
read -r _ tunnels exchanges < <(proxy_count storefwd)
note "exchanges in the proxy's log: $exchanges"
check "$tunnels" "==" 0 "tunnels through a proxy that denies them"
check "$exchanges" ">=" 100 "exchanges in the proxy's log"
! _log_lines storefwd | grep -q ' exchange .* https://' || fail "an exchange that was not in absolute form"
for way in up down; do
	note "$way: p50 $(json "$W/run.json" $way.p50_ms) ms, p99 $(json "$W/run.json" $way.p99_ms) ms, late $(json "$W/run.json" $way.late150_pct) %"
	check "$(json "$W/run.json" $way.lost)" "==" 0 "packets lost $way"
	check "$(json "$W/run.json" $way.p50_ms)" "<=" 80 "ms, median of the delay $way"
	check "$(json "$W/run.json" $way.late150_pct)" "<=" 2 "percent later than 150 ms $way"
done
check "$(grep -c " refused " "$W/storefwd/exchanges.log")" "<=" 10 "refusals until the limit of two was learned"
stop_expecting helper 0
