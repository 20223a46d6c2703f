#!/usr/bin/env bash
# One cell of the benchmark: a load over a link through a system, in namespaces of its own.
#
#   cell.sh NET LOAD SYSTEM SECONDS FILE    writes FILE (JSON)
#
# NET: DELAY/LOSS[/RATE], ms one way, % at random or geN (Gilbert-Elliott, bursts of 3 packets on average), kbit/s; or clean, two namespaces
# joined by a veth pair. LOAD: call, callsN, video (a call and 1.5 Mbit/s), video-over (3 Mbit/s), download (a call and 5 MB by TCP); these
# three over a bottleneck of 2 Mbit/s with a buffer of 1 MB unless NET has a rate; flood200, flood1200 (the highest rate).
# A download's server uses cubic, as most do (BENCH_CONGESTION), everything else what the kernel does by itself.
# SYSTEM: see systems.sh.
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0" "$@"
fi
set -u
. "$(dirname "$0")/../lib/harness.sh"
. "$TOP/tests/lib/proxies.sh"
. "$TOP/tests/lib/culvert.sh"
NET=$1 LOAD=$2 SYSTEM=$3 RUN_SECONDS=$4 RESULT=$5
work_begin
. "$TOP/tests/bench/systems.sh"

CALLS=1 KINDS=(--audio) DRAIN=1
case $LOAD in
calls*) CALLS=${LOAD#calls} ;;
video) KINDS+=(--video 1500) ;;
video-over) KINDS+=(--video 3000) DRAIN=6 ;; # what a deep queue holds comes late
download) DRAIN=6 ;;
flood*) KINDS=(--flood --size "${LOAD#flood}") ;;
esac

# What else the machine does must not be taken for the path: where that is allowed all of a cell goes before it, what emulates and measures first.
# Not where processors are the point.
FIRST=()
if [ "$NET" != clean ] && chrt --rr -p 1 $$ 2>/dev/null; then
	FIRST=(chrt --rr 2)
fi

net_clean() {
	ip netns add near && ip netns add far && ip -n near link add lk-a type veth peer name lk-b netns far || fail "no veth pair"
	ip -n near address add $NEAR/24 dev lk-a && ip -n near link set lk-a up && ip -n near link set lo up
	ip -n far address add $FAR/24 dev lk-b && ip -n far link set lk-b up && ip -n far link set lo up
}

net_link() { # DELAY LOSS [RATE]
	local arguments=(--delay "$1") rate=${3:-} queue=100ms
	case $2 in
	ge*) arguments+=(--bursts "$(awk -v p="${2#ge}" 'BEGIN { r = 100 / 3; print p * r / (100 - p) "," r }')") ;;
	*) arguments+=(--loss "$2") ;;
	esac
	case $LOAD in video* | download) rate=${rate:-2000} queue=1000000 ;; esac
	[ -z "$rate" ] || arguments+=(--rate "$rate" --queue "$queue")
	launch link "${FIRST[@]}" "$TOOLS/linkem" --ns-a near --ns-b far --create --seed "${BENCH_SEED:-1}" --stats "$W/link" "${arguments[@]}"
	await 10 grep -q "^ready link" "$W/link.out" || fail "the link did not come up: $(cat "$W/link.err")"
}

# The link's counters so far: link_count FILE
link_count() {
	running link || return 0
	rm -f "$W/link"
	kill -USR1 "${PID[link]}"
	await 5 test -e "$W/link" && cp "$W/link" "$1"
}

delay=0
case $NET in
clean) net_clean ;;
*) IFS=/ read -r delay loss rate <<<"$NET" && net_link "$delay" "$loss" "${rate:-}" ;;
esac
SERVER_NAME=$FAR credentials_make
IN=far launch file $PYTHON "$TOP/tests/tools/transfer.py" serve 0.0.0.0:5001 --bytes "${BENCH_BYTES:-5000000}" --congestion "${BENCH_CONGESTION:-cubic}"
ready file tcp file >/dev/null || fail "no file server"
system_start "$SYSTEM"
link_count "$W/before"
[ "$LOAD" != download ] || IN=near launch fetch $PYTHON "$TOP/tests/tools/transfer.py" fetch "$FILE"
launch load "${FIRST[@]}" "$TOOLS/rtpload" --dest "$ENTRANCE" --sink "$SINK" --ns near --sink-ns far --calls "$CALLS" "${KINDS[@]}" "${LOAD_ARGUMENTS[@]}" \
	--for "$RUN_SECONDS" --warmup 0 --drain $DRAIN --deadline "$((delay + 35)),150,400" --histogram ${PIDS:+--pid "$PIDS"} --quiet
finish load $((RUN_SECONDS + 120)) || fail "rtpload ended with status $?"
link_count "$W/after"
[ ! -S "$W/control" ] || "$CULVERT" status --control "$W/control" --json >"$W/status" 2>/dev/null || :
[ "$LOAD" != download ] || finish fetch "${BENCH_PATIENCE:-60}" || stop fetch || :
$PYTHON "$TOP/tests/bench/results.py" cell "$W" "$NET" "$LOAD" "$SYSTEM" "$RESULT" || fail "no result"
[ -z "${BENCH_KEEP:-}" ] || exit 0
work_end
rm -rf "$W"
