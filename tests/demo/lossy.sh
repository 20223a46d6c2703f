#!/usr/bin/env bash
# Part of make demo: two calls at the same time over one emulated link of 25 ms that loses 2 % of what it carries, one through Culvert,
# one through a single TLS connection, as others do it. Prints a table: lossy.sh [SECONDS]
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0" "$@"
set -u
. "$(dirname "$0")/../lib/harness.sh"
. "$TOP/tests/lib/culvert.sh"
work_begin
CALL_SECONDS=${1:-15} FAR=10.77.0.2
# Beside the rest of the demo it is the link's delay that is to be seen, not the machine's.
chrt --rr -p 1 $$ 2>/dev/null || :

SERVER_NAME=$FAR credentials_make
launch link "$TOOLS/linkem" --ns-a near --ns-b far --create --delay 25 --loss 2
await 10 grep -q "^ready link" "$W/link.out" || fail "the link did not come up: $(cat "$W/link.err")"
for system in culvert single; do
	launch_fed "load-$system" "$TOOLS/rtpload" --dest - --sink "$FAR:0" --ns near --sink-ns far --warmup 0 --deadline 60,150 --quiet
done
SERVER_HOST=$FAR IN=far server_start culvertd --service "load=udp://$(ready load-culvert udp sink)"
IN=near helper_start helper --server "https://$FAR:$SERVER_PORT" --rung duplex --control "$W/control" -L udp://127.0.0.1:0=load
IN=far launch tls-far "$TOOLS/tlspipe" far --tls "$FAR:7000" --cert "$W/server.crt" --key "$W/server.key" --udp "$(ready load-single udp sink)"
ready tls-far tls far >/dev/null || fail "no TLS listener"
IN=near launch tls-near "$TOOLS/tlspipe" near --tls "$FAR:7000" --udp 127.0.0.1:5100
single=$(ready tls-near udp near) && culvert=$(helper_udp helper load) || fail "a way does not stand"
expect helper 20 "connected to"

tell load-culvert "$culvert culvert for=$CALL_SECONDS"
tell load-single "$single single for=$CALL_SECONDS"
sleep $((CALL_SECONDS - 1))
"$CULVERT" status --control "$W/control" >"$W/status" || fail "no status"
for system in culvert single; do
	told "load-$system" $system 30 >"$W/$system.json" || fail "no result of $system: $(cat "$W/load-$system.err")"
done
$PYTHON - "$W" "$CALL_SECONDS" <<'PY' || fail "no figures"
import json, sys
directory, seconds = sys.argv[1:]
print("Two calls at the same time over a link of 25 ms with 2 %% loss, %s s, counted from the first packet; the worse direction:\n" % seconds)
print("%-50s %12s %12s %8s %8s" % ("", "after 60 ms", "after 150 ms", "p50", "p99"))
for name, title in (("single", "one TLS connection, as TURN and tunnels have it"), ("culvert", "Culvert")):
    run = json.load(open("%s/%s.json" % (directory, name)))
    worst = [max(run[way][key] for way in ("up", "down")) for key in ("late60_pct", "late150_pct", "p50_ms", "p99_ms")]
    print("%-50s %10.2f %% %10.2f %% %5.0f ms %5.0f ms" % (title, *worst))
PY
sed -n -e '/^media /,/^ *$/{/^$/d;p}' "$W/status" | grep -E '^(media|warning)' | sed -e 's/^/\nAnd what culvert status said of it:\n  /'
work_end
rm -rf "$W"
