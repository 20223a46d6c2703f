#!/usr/bin/env bash
# A download and a call over a link of 10 Mbit/s and 100 ms there and back by HTTP/2: no window holds them up; and behind a proxy with small ones.
# seconds: 200
# alone: it measures time
# long
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/bench/systems.sh"
NET=50/0/10000
export BENCH_BYTES=24000000
# Through nghttpx all is on one connection over the link.
PROXIED=duplex-h2+nghttpx-near
systems=(duplex duplex-h2 $PROXIED)
for system in "${systems[@]}"; do
	[ $system != $PROXIED ] || BENCH_BYTES=6000000
	TMPDIR=$W launch "$system" "$TOP/tests/bench/cell.sh" $NET download "$system" 22 "$W/$system.json"
	finish "$system" 100 || fail "$system: $(tail -n 3 "$W/$system.err")"
	note "$system: $($PYTHON "$TOP/tests/bench/results.py" row "$W/$system.json")"
done

figure() { # SYSTEM EXPRESSION of a cell c
	PYTHONPATH=$TOP/tests/bench $PYTHON -c 'import json, sys, results; c = results.Cell(json.load(open(sys.argv[1]))); print(eval(sys.argv[2]))' "$W/$1.json" "$2"
}
least="min(c.data[way]['received'] / max(c.data[way]['sent'], 1) for way in ('up', 'down'))"
for system in "${systems[@]}"; do
	check "$(figure "$system" "min(c.data[way]['sent'] for way in ('up', 'down'))")" ">=" 980 "$system: packets sent"
	check "$(figure "$system" "$least")" ">=" 0.998 "$system: share of packets that arrived"
	# A window that is waited for costs a round trip, again and again.
	check "$(figure "$system" 'c.worse("p50_ms")')" "<=" 85 "$system: p50, ms"
done
for system in duplex duplex-h2; do
	check "$(figure "$system" 'c.worse("late150_pct")')" "<=" 0.5 "$system: later than 150 ms, percent"
done
# The call has 110 kbit/s besides.
check "$(figure duplex-h2 'c.download_kbps() + 110')" ">=" 8500 "kbit/s of a link of 10,000"
# nghttpx gives a window of 65,535 bytes back by halves: 32,767 bytes each 100 ms are 2.6 Mbit/s, and what is left of it is the call's (without
# that 0.1 to 0.9 % were later than 150 ms, with gaps of 375 ms where bbr measured).
check "$(figure $PROXIED 'c.worse("late150_pct")')" "<=" 0.1 "$PROXIED: later than 150 ms, percent"
check "$(figure $PROXIED 'c.download_kbps()')" ">=" 2100 "kbit/s through windows of 64 KB"
