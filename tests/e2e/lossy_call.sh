#!/usr/bin/env bash
# A call over a link of 25 ms that loses 2 %: several connections keep it on time where one, at the same time on such a link, does not.
# seconds: 120
# alone: it measures time
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/bench/systems.sh"
CALL_SECONDS=40
for way in duplex+single duplex; do
	TMPDIR=$W launch "$way" "$TOP/tests/bench/cell.sh" 25/2 call "$way" $CALL_SECONDS "$W/$way.json"
done
for way in duplex+single duplex; do
	finish "$way" 90 || fail "$way: $(tail -n 3 "$W/$way.err")"
	note "$way: $($PYTHON "$TOP/tests/bench/results.py" row "$W/$way.json")"
done

late() { # WAY: the worse direction, percent
	$PYTHON - "$W/$1.json" <<-'PY'
		import json, sys
		cell = json.load(open(sys.argv[1]))
		print(max(cell[way]["late60_pct"] for way in ("up", "down")))
	PY
}

wire() { # WAY: bytes on the link
	echo $(($(json "$W/$1.json" wire.up.bytes) + $(json "$W/$1.json" wire.down.bytes)))
}

for way in duplex+single duplex; do
	for direction in up down; do
		check "$(json "$W/$way.json" $direction.sent)" ">=" $((CALL_SECONDS * 50 * 98 / 100)) "$way: packets sent $direction"
	done
done
one=$(late duplex+single) several=$(late duplex)
check "$one" ">=" 1.5 "late on one connection: the link loses nothing"
check "$several" "<=" "$(awk -v one="$one" 'BEGIN { print one / 3 }')" "late on several connections, of $one % on one"
check "$(wire duplex)" "<=" $(($(wire duplex+single) * 5 / 2)) "bytes on the wire, of $(wire duplex+single) on one connection"
