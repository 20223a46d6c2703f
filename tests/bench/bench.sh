#!/usr/bin/env bash
# make bench: calls through Culvert and through its peers, side by side over emulated links; bench.sh FILE writes FILE (JSON), plots of the
# delays in a folder beside it, and prints tables. Repeats are interleaved; each cell begins anew, and counts from its first packet.
# Nothing is asserted: the exit status tells only whether all cells ran. By the environment:
#   BENCH_PROFILE   short (20 s, once, the goals' rows: about a quarter of an hour), must (60 s, three times; also without tuning of sockets
#                   and through Squid), full (the whole matrix, 60 s, three times: most of a day)
#   BENCH_CELLS     "NET:LOAD:SYSTEM,SYSTEM ..." instead of the profile's, see cell.sh and systems.sh
#   BENCH_NETS, BENCH_LOADS, BENCH_SYSTEMS    of full: the lists whose product it measures; of the others: only those of their cells
#   BENCH_SECONDS, BENCH_REPEATS
#   BENCH_JOBS      cells at the same time (the number of processors); those that measure processors run alone
#   BENCH_DIR       where cells' results and plots are kept (FILE without .json, emptied first); given, what is there is not measured again
set -u
. "$(dirname "$0")/../lib/harness.sh"
JSON=$(realpath -m "${1:-$TOP/build/bench.json}")
PROFILE=${BENCH_PROFILE:-short} JOBS=${BENCH_JOBS:-$(nproc)} DIR=${BENCH_DIR:-${JSON%.json}}
. "$TOP/tests/bench/profiles.sh"
case $PROFILE in
short) RUN_SECONDS=20 REPEATS=1 ;;
must | full) RUN_SECONDS=60 REPEATS=3 ;;
*) fail "BENCH_PROFILE is short, must or full: $PROFILE" ;;
esac
RUN_SECONDS=${BENCH_SECONDS:-$RUN_SECONDS} REPEATS=${BENCH_REPEATS:-$REPEATS}

listed() { # LIST WORD: in it, or there is no list
	[ -z "$1" ] || case " ${1//,/ } " in *" $2 "*) ;; *) return 1 ;; esac
}

# "NET LOAD SYSTEM" for each cell of a repeat, those that run alone last.
cells() {
	local item net load systems system
	for item in ${BENCH_CELLS:-$(profile_"$PROFILE")}; do
		IFS=: read -r net load systems <<<"$item"
		for system in ${systems//,/ }; do
			if [ "$PROFILE" = full ] || { listed "${BENCH_NETS:-}" "$net" && listed "${BENCH_LOADS:-}" "$load" && listed "${BENCH_SYSTEMS:-}" "$system"; }; then
				echo "$([ "$net" = clean ] && echo 1 || echo 0) $net $load $system"
			fi
		done
	done | sort -s -k 1,1 | cut -d ' ' -f 2-
}

seconds_of() { # NET LOAD
	case $1:$2 in
	*:flood*) echo 2 ;;
	clean:*) echo $((RUN_SECONDS < 10 ? RUN_SECONDS : 10)) ;;
	*:download) echo $((RUN_SECONDS < 22 ? RUN_SECONDS : 22)) ;; # the download goes on all the time
	*/0:call) echo $((RUN_SECONDS < 60 && RUN_SECONDS > 10 ? 60 : RUN_SECONDS)) ;; # the beginning must not be most of it
	*) echo "$RUN_SECONDS" ;;
	esac
}

# One cell: its line when it is done, and its log where it was not.
one() { # NUMBER REPEAT NET LOAD SYSTEM
	local name=${3//\//-}.$4.$5.$2 head pid
	head=$(printf '%4d/%d  %-9s %-10s %-18s' "$1" "$TOTAL" "$3" "$4" "$5")
	if [ ! -s "$DIR/$name.json" ]; then
		BENCH_SEED=$2 TMPDIR=$SCRATCH "$TOP/tests/bench/cell.sh" "$3" "$4" "$5" "$(seconds_of "$3" "$4")" "$DIR/$name.json" >"$DIR/$name.log" 2>&1 &
		pid=$!
		trap 'kill $pid 2>/dev/null; wait; exit 143' TERM INT
		if ! wait $pid; then
			echo "$head FAILED: $(tail -n 1 "$DIR/$name.log") (log: $DIR/$name.log)"
			return 1
		fi
		rm -f "$DIR/$name.log"
	fi
	echo "$head $($PYTHON "$TOP/tests/bench/results.py" row "$DIR/$name.json")"
}

mapfile -t CELLS < <(cells)
TOTAL=$((${#CELLS[@]} * REPEATS))
[ $TOTAL -gt 0 ] || fail "no cells"
together=0 alone=0
for cell in "${CELLS[@]}"; do
	read -r net load _ <<<"$cell"
	case $net:$load in
	*:flood*) alone=$((alone + 60)) ;;
	clean:*) alone=$((alone + $(seconds_of clean "$load") + 3)) ;;
	*) together=$((together + $(seconds_of "$net" "$load") + 4)) ;;
	esac
done
mkdir -p "$DIR"
[ -n "${BENCH_DIR:-}" ] || rm -f "$DIR"/*.json "$DIR"/*.svg
rm -f "$DIR"/*.log
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/culvert-bench.XXXXXX")
chmod 755 "$SCRATCH"
trap 'for pid in $(jobs -p); do kill "$pid" 2>/dev/null; done; wait; rm -rf "$SCRATCH"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
echo "$PROFILE: $TOTAL cells, $JOBS at a time, about $((REPEATS * (together / JOBS + alone) / 60 + 1)) minutes; p99 and shares are of the worse direction"
number=0
for ((repeat = 1; repeat <= REPEATS; repeat++)); do
	for cell in "${CELLS[@]}"; do
		read -r net load system <<<"$cell"
		limit=$JOBS
		[ "$net" != clean ] || limit=1
		while [ "$(jobs -pr | wc -l)" -ge "$limit" ]; do wait -n || :; done
		number=$((number + 1))
		one $number $repeat "$net" "$load" "$system" &
		[ "$net" != clean ] || wait
	done
	wait
done
$PYTHON "$TOP/tests/bench/report.py" "$DIR" "$JSON" "$PROFILE" "$RUN_SECONDS" "$REPEATS" "$JOBS" || fail "no report"
failed=$(find "$DIR" -name '*.log' | wc -l)
[ "$failed" -eq 0 ] || fail "$failed cells did not run"
