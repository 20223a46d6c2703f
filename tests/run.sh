#!/usr/bin/env bash
# Runs stages of the tests one after the other and sums up what they counted. Each stage
# prints lines that end in "N passed, N failed"; a stage that fails without one counts as
# one failure. The logs are in build/test/.
cd "$(dirname "$0")/.." || exit 1
logs=build/test
mkdir -p $logs
passed=0 failed=0 began=$SECONDS
jobs=$(nproc)
quiet=(make --no-print-directory -j"$jobs")

stage_includes() { "${quiet[@]}" check-includes && echo "layers: 1 passed, 0 failed"; }
stage_gcc() { "${quiet[@]}" unit; }
# A part of the simulations' seeds; all of them are for test-all.
stage_sanitizers() { "${quiet[@]}" unit SAN=address,undefined; }
stage_sanitizers-all() { ALL_SEEDS=1 stage_sanitizers; }
# What another compiler says; what its programs do is for test-all.
stage_clang() { "${quiet[@]}" clang-check && echo "clang: 1 passed, 0 failed"; }
stage_clang-unit() { "${quiet[@]}" all unit CC=clang O=build/clang; }
stage_fuzz() { "${quiet[@]}" fuzz-replay SAN=address,undefined && echo "corpora: $(ls -d tests/fuzz/corpus/* | wc -l) passed, 0 failed"; }
stage_programs() { "${quiet[@]}" all tools && echo "build: 1 passed, 0 failed"; }
# The probes and each rung beside the others, for they mostly wait.
interop() { # RUNG...
	local rung job rc=0 jobs=()
	export QUIET=1
	RUNGS="" tests/peer/interop.sh & jobs+=($!)
	for rung in "$@"; do
		PROBES="" RUNGS=$rung tests/peer/interop.sh & jobs+=($!)
	done
	for job in "${jobs[@]}"; do
		wait "$job" || rc=1
	done
	return $rc
}
stage_peer() { interop duplex websocket poll; }
stage_peer-all() { QUIET=1 tests/peer/test_peer.sh && interop duplex websocket split push poll; }
stage_e2e() { QUICK=1 tests/e2e/run.sh; }
stage_e2e-all() { tests/e2e/run.sh; }
stage_e2e-sanitizers() {
	"${quiet[@]}" all tools SAN=address,undefined >/dev/null
	LSAN_OPTIONS=suppressions=$PWD/tests/lib/leaks.supp:print_suppressions=0 \
		BUILD=$PWD/build/gcc-address-undefined tests/e2e/run.sh $(ls tests/e2e | grep -v '^allocations\|^run\|^e2e\|^poll_delay\|^proxy_absolute')
}
stage_valgrind() { # without the longest simulations, which say so themselves
	"${quiet[@]}" all >/dev/null
	WRAP="valgrind -q --error-exitcode=9 --leak-check=full --track-fds=yes --num-callers=40 --suppressions=tests/lib/valgrind.supp" "${quiet[@]}" unit \
		UNIT="$(grep -L '^/\* valgrind: left' tests/unit/test_*.c tests/sim/test_*.c | xargs)"
}
stage_web() { make --no-print-directory web-test; }
stage_install() { tests/install.sh; }
stage_web-real() { make --no-print-directory web-real; }
stage_zoo() { make --no-print-directory zoo; }
stage_matrix() { make --no-print-directory demo && echo "demo: 1 passed, 0 failed"; }

for stage in "$@"; do
	echo "== $stage"
	log=$logs/$stage.log
	start=$SECONDS
	"stage_$stage" 2>&1 | tee "$log" | grep -v '^  \(CC\|LD\|AR\) '
	rc=${PIPESTATUS[0]}
	read -r p f < <(sed -n 's/\(^\|.*[^0-9]\)\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed.*/\2 \3/p' "$log" |
		awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }')
	[ "$rc" -eq 0 ] || [ "$f" -gt 0 ] || f=1
	[ $((p + f)) -gt 0 ] || { echo "stage $stage counted nothing"; f=1; }
	passed=$((passed + p)) failed=$((failed + f))
	echo "-- $stage: $((SECONDS - start)) s"
done
echo "in $((SECONDS - began)) s; logs in $logs"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
