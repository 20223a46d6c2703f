#!/bin/sh
# Runs cmocka programs, JOBS at a time (one for each processor); shows the output of those that fail, counts.
# WRAP may name a tool to run them under (valgrind ...).
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
trap 'exit 130' INT TERM
export logs WRAP

# One program: its line in $logs/NAME.line, and how many passed and failed.
cat >"$logs/one" <<'END'
name=${1##*/} log=$logs/${1##*/}.log
# The number in cmocka's line "[  PASSED  ] N test(s)." or "[  FAILED  ] N test(s), ..."
number() { sed -n "s/^\[  $1  \] \([0-9]*\) test.*/\1/p" "$log" | head -n 1; }
if ${WRAP:-} "$1" >"$log" 2>&1 && [ "$(number PASSED)" -gt 0 ]; then
	echo "$(number PASSED) 0" >"$logs/$name.count"
	printf '  ok   %s (%s tests)\n' "$name" "$(number PASSED)"
else
	n=$(number FAILED)
	echo "0 ${n:-1}" >"$logs/$name.count"
	printf '  FAIL %s\n%s\n' "$name" "$(grep -v '^\[ RUN\|^\[       OK' "$log" | tail -n 60)"
fi
rm -f "$log"
END
printf '%s\n' "$@" | xargs -P "${JOBS:-$(nproc)}" -I '{}' sh "$logs/one" '{}'
passed=$(cat "$logs"/*.count 2>/dev/null | awk '{ n += $1 } END { print n + 0 }')
failed=$(cat "$logs"/*.count 2>/dev/null | awk '{ n += $2 } END { print n + 0 }')
missing=$(($# - $(ls "$logs"/*.count 2>/dev/null | wc -l)))
echo "unit tests: $passed passed, $((failed + missing)) failed"
[ $((failed + missing)) -eq 0 ] && [ $passed -gt 0 ]
