#!/usr/bin/env bash
# A download and a call over a link of 10 Mbit/s and 100 ms there and back by HTTP/2: no window holds them up; and behind a proxy with small ones.
# seconds: 200
# alone: it measures time
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/bench/systems.sh"
NET=50/0/10000
export BENCH_BYTES=24000000
systems=(duplex duplex-h2 duplex-h2+nghttpx-near)
for system in "${systems[@]}"; do
	TMPDIR=$W launch "$system" "$TOP/tests/bench/cell.sh" $NET download "$system" 22 "$W/$system.json"
	finish "$system" 100 || fail "$system: $(tail -n 3 "$W/$system.err")"
	note "$system: $($PYTHON "$TOP/tests/bench/results.py" row "$W/$system.json")"
done

figure() { # SYSTEM EXPRESSION of a cell c
	PYTHONPATH=$TOP/tests/bench $PYTHON -c 'import json, sys, results; c = results.Cell(json.load(open(sys.argv[1]))); print(eval(sys.argv[2]))' "$W/$1.json" "$2"
}
for system in "${systems[@]}"; do
	note "$(printf '%-24s %5.0f kbit/s  p50 %6.1f  p99 %6.1f  p99.9 %6.1f ms' "$system" "$(figure "$system" 'c.download_kbps()')" \
		"$(figure "$system" 'c.worse("p50_ms")')" "$(figure "$system" 'c.worse("p99_ms")')" "$(figure "$system" 'c.worse("p999_ms")')")"
done
check "$(figure duplex-h2 'c.download_kbps()')" ">=" 8500 "kbit/s of a link of 10,000"
