#!/bin/sh
# Runs cmocka programs one by one; shows the output of those that fail, counts.
# WRAP may name a tool to run them under (valgrind ...).
passed=0 failed=0
# The number in cmocka's line "[  PASSED  ] N test(s)." or "[  FAILED  ] N test(s), ..."
number() { sed -n "s/^\[  $1  \] \([0-9]*\) test.*/\1/p" "$log" | head -n 1; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for t; do
	if ${WRAP:-} "$t" >"$log" 2>&1 && [ "$(number PASSED)" -gt 0 ]; then
		passed=$((passed + $(number PASSED)))
		printf '  ok   %s (%s tests)\n' "${t##*/}" "$(number PASSED)"
	else
		n=$(number FAILED)
		failed=$((failed + ${n:-1}))
		printf '  FAIL %s\n' "${t##*/}"
		grep -v '^\[ RUN\|^\[       OK' "$log" | tail -n 60
	fi
done
echo "unit tests: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
