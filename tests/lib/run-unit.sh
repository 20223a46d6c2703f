#!/bin/sh
# Runs cmocka programs one by one; shows the output of those that fail, counts.
# WRAP may name a tool to run them under (valgrind ...).
passed=0 failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for t; do
	if ${WRAP:-} "$t" >"$log" 2>&1; then
		passed=$((passed + 1))
		printf '  ok   %s (%s)\n' "${t##*/}" "$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1 tests/p' "$log" | head -n 1)"
	else
		failed=$((failed + 1))
		printf '  FAIL %s\n' "${t##*/}"
		grep -v '^\[ RUN\|^\[       OK' "$log" | tail -n 60
	fi
done
echo "unit programs: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
