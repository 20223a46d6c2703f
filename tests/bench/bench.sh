#!/usr/bin/env bash
# make bench: calls through the tunnel over loopback and over an emulated link, on each rung, beside plain UDP.
# Prints a table, writes JSON (bench.sh FILE). Nothing is asserted. By the environment:
#   BENCH_NETS "loopback 0 1 2" (numbers: a link of 25 ms with so many % of loss), BENCH_RUNGS "none duplex split push poll",
#   BENCH_CALLS "1 10 100", BENCH_SECONDS 5
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 BENCH_JSON=$(realpath -m "${1:-bench.json}") exec "$(dirname "$0")/../lib/namespace.sh" "$0"
fi
set -u
. "$(dirname "$0")/../lib/harness.sh"
. "$TOP/tests/lib/culvert.sh"
work_begin
NETS=${BENCH_NETS:-loopback 0 1 2} RUNGS=${BENCH_RUNGS:-none duplex split push poll}
CALLS=${BENCH_CALLS:-1 10 100} RUN_SECONDS=${BENCH_SECONDS:-5}
DELAY=25 # ms one way, of the link

# Both sides of a network: namespaces joined by linkem, or both here.
net_begin() { # NET
	FAR=127.0.0.1 NEAR_NS=() FAR_NS=() IN_NEAR='' IN_FAR=''
	[ "$1" != loopback ] || return 0
	launch link "$TOOLS/linkem" --ns-a near --ns-b far --create --delay $DELAY --loss "$1"
	await 10 grep -q "^ready link" "$W/link.out" || fail "the link did not come up: $(cat "$W/link.err")"
	FAR=10.77.0.2 NEAR_NS=(--ns near) FAR_NS=(--sink-ns far) IN_NEAR=near IN_FAR=far
}

net_end() {
	stop load
	stop culvertd || :
	stop link || :
	rm -f "$W"/*.out "$W"/load.in
}

cell() { # NET RUNG CALLS ADDRESS [PIDS]
	local label=$1.$2.$3
	tell load "$4 $label calls=$3 for=$RUN_SECONDS${5:+ pid=$5}"
	told load "$label" $((RUN_SECONDS + 30)) >>"$W/cells" || fail "no result for $label: $(tail -n 3 "$W/load.err")"
	$PYTHON "$TOP/tests/bench/report.py" row "$W/cells"
}

SERVER_NAME=10.77.0.2 credentials_make # good for 127.0.0.1, too
: >"$W/cells"
count=$(($(wc -w <<<"$NETS") * $(wc -w <<<"$RUNGS") * $(wc -w <<<"$CALLS")))
echo "$count runs, about $((count * (RUN_SECONDS + 3) / 60 + 1)) minutes"
$PYTHON "$TOP/tests/bench/report.py" head
for net in $NETS; do
	net_begin "$net"
	launch_fed load "$TOOLS/rtpload" --dest - --sink "$FAR:0" "${NEAR_NS[@]}" "${FAR_NS[@]}" --warmup 1 --drain 1 --deadline 60,150 --quiet
	SINK=$(ready load udp sink) || fail "rtpload did not start"
	SERVER_PORT=0
	SERVER_HOST=$FAR IN=$IN_FAR server_start culvertd --service "load=udp://$SINK"
	for rung in $RUNGS; do
		if [ "$rung" != none ]; then
			IN=$IN_NEAR helper_start helper --server "https://$FAR:$SERVER_PORT" --rung "$rung" -L udp://127.0.0.1:0=load
			local_address=$(helper_udp helper load)
			expect helper 20 "connected to"
		fi
		for calls in $CALLS; do
			if [ "$rung" = none ]; then
				cell "$net" none "$calls" "$SINK"
			else
				cell "$net" "$rung" "$calls" "$local_address" "${PID[helper]},${PID[culvertd]}"
			fi
		done
		[ "$rung" = none ] || stop helper || fail "the helper ended with status $?: $(tail -n 3 "$W/helper.err")"
		rm -f "$W/helper.out" "$W/helper.err"
	done
	net_end
done
mkdir -p "$(dirname "$BENCH_JSON")"
$PYTHON "$TOP/tests/bench/report.py" json "$W/cells" >"$BENCH_JSON" && echo "written: $BENCH_JSON"
rm -rf "$W"
