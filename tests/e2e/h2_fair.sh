#!/usr/bin/env bash
# Two sessions on one connection of HTTP/2, as a reverse proxy joins them: one that reads nothing does not hold up the other's call.
# seconds: 120
# long
# alone: it measures time
. "$(dirname "$0")/e2e.sh"
credentials_make
launch_fed load "$TOOLS/rtpload" --dest - --sink 127.0.0.1:0 --warmup 0.5 --drain 1 --deadline 20,50,150 --quiet
launch file $PYTHON "$TOP/tests/tools/transfer.py" serve 127.0.0.1:0 --bytes 2000000000
SINK=$(ready load udp sink) && FILE=$(ready file tcp file) || fail "the far ends did not start"
server_start culvertd --service "load=udp://$SINK" --service "file=tcp://$FILE"

# One worker, so that everybody is on its one connection to the server.
FRONT=$(free_port)
launch nghttpx nghttpx --conf=/dev/null --workers=1 --frontend="127.0.0.1,$FRONT" --backend="127.0.0.1,$SERVER_PORT;;proto=h2;tls;sni=localhost" \
	--cacert="$SERVER_CERT" --accesslog-file=/dev/null "$W/server.key" "$SERVER_CERT"
await 15 answers "$FRONT" || fail "nghttpx did not start"
for name in call slow; do
	helper_start $name --server "https://localhost:$FRONT" --http 2 --rung duplex -L udp://127.0.0.1:0=load -L tcp://127.0.0.1:0=file
done
for name in call slow; do
	expect $name 15 "connected to"
done

measured() { # LABEL: a call of 6 s
	tell load "$(helper_udp call load) $1 for=6"
	told load "$1" 30 >"$W/$1.json" || fail "$1: no result"
	read -r P50 P99 LATE LOST < <($PYTHON - "$W/$1.json" <<-'PY'
		import json, sys
		ways = [json.load(open(sys.argv[1]))[way] for way in ("up", "down")]
		print(*(max(way[key] for way in ways) for key in ("p50_ms", "p99_ms", "late50_pct", "lost")))
	PY
	)
	note "$(printf '%-12s p50 %6.2f ms  p99 %6.2f ms  late %5.2f %%  lost %d' "$1" "$P50" "$P99" "$LATE" "$LOST")"
}

connections() { ss -Htn state established "sport = :$SERVER_PORT" | wc -l; }

measured alone
alone=$P99
[ "$(connections)" -eq 1 ] || fail "$(connections) connections from the proxy to the server: nothing is shared"

# The other one begins a download that has no end, and stops in the middle of it; nobody reads then what the server sends it. What holds the
# call up would do so each time; what else the machine does, does not (one_that_does_not_read in tests/sim/test_sim_h2_windows.c has no machine
# in its way, and one try).
launch fetch $PYTHON "$TOP/tests/tools/transfer.py" fetch "$(helper_tcp slow file)"
measured beside
kill -STOP "${PID[slow]}"
for try in 1 2 3; do
	measured "unread-$try"
	[ "$(connections)" -eq 1 ] || fail "$(connections) connections from the proxy to the server: nothing is shared"
	note "p99 of the call: $alone ms alone, $P99 beside a session that is not read"
	held=$(awk -v p="$P99" -v a="$alone" -v late="$LATE" -v lost="$LOST" 'BEGIN { print (lost > 0 || late > 1 || p > a + 20) }')
	[ "$held" -eq 1 ] || break
done
[ "$held" -eq 0 ] || fail "a session that reads nothing holds the call up: p99 $P99 ms, $alone alone; $LATE % late, $LOST lost"
kill -CONT "${PID[slow]}"
stop fetch || :
check "$(json "$W/fetch.out" bytes)" ">=" 1000000 "bytes of the download that was left unread"
measured after
stop_expecting call 0
stop_expecting culvertd 0
