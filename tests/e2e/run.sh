#!/usr/bin/env bash
# Runs end-to-end tests: all, or those named (with or without .sh), JOBS (3) at a time. Each runs in a directory and with a time limit of its
# own; of one that fails the directory is kept, and its last words and logs are shown. BUILD: where the programs are.
cd "$(dirname "$0")" || exit 1
export BUILD=${BUILD:-$(cd ../.. && pwd)/build/gcc}
for program in culvert culvertd tests/tools/rtpload; do
	[ -x "$BUILD/$program" ] || { echo "no $BUILD/$program: build it first (make all tools)" >&2; exit 1; }
done

names=("$@")
[ $# -gt 0 ] || names=(*.sh)
root=$(mktemp -d "${TMPDIR:-/tmp}/culvert-e2e.XXXXXX")
chmod 755 "$root"

show() { # DIR: the end of what was logged
	local log
	tail -n 15 "$1/test.log" | sed 's/^/    /'
	for log in "$1"/*.err; do
		[ -s "$log" ] || continue
		echo "    --- ${log##*/}"
		tail -n 12 "$log" | cut -c1-300 | sed 's/^/    /'
	done
}

# One test: its line, and on failure what it left. Its outcome is the name of a file.
one() { # NAME
	local name=$1 limit began rc took
	limit=$(sed -n 's/^# seconds: //p' "$name.sh")
	mkdir -p "$root/$name"
	began=$SECONDS
	local TIMEFORMAT='%U %S' cpu
	{ time E2E_DIR=$root/$name timeout -k 10 "${limit:-60}" bash "./$name.sh" >"$root/$name/test.log" 2>&1; } 2>"$root/$name.cpu"
	rc=$?
	took=$((SECONDS - began))
	cpu=$(awk '{ printf "%.0f", $1 + $2 }' "$root/$name.cpu")
	rm -f "$root/$name.cpu"
	if [ $rc -eq 0 ]; then
		printf '  ok   %-18s %3d s (%2d of CPU)  %s\n' "$name" $took "$cpu" "$(sed -n '2s/^# //p' "$name.sh")"
		[ -n "${KEEP:-}" ] || rm -rf "${root:?}/$name"
		: >"$root/$name.passed"
		return
	fi
	[ $rc -ne 124 ] || echo "ended after its limit of ${limit:-60} s" >>"$root/$name/test.log"
	printf '  FAIL %-18s %3d s  (status %d; all of it: %s)\n%s\n' "$name" $took $rc "$root/$name" "$(show "$root/$name")"
	: >"$root/$name.failed"
}

# Those that measure time ("# alone") go first, each by itself; the others three at a time, for they mostly wait.
alone=() together=()
for name in "${names[@]}"; do
	name=$(basename "$name" .sh)
	case $name in run | e2e) continue ;; esac
	if [ ! -f "$name.sh" ]; then
		echo "no test $name" >&2
		: >"$root/$name.failed"
	elif [ -n "${QUICK:-}" ] && [ $# -eq 0 ] && grep -q '^# long' "$name.sh"; then
		continue
	elif grep -q '^# alone' "$name.sh"; then
		alone+=("$name")
	else
		together+=("$name")
	fi
done
trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM
for name in "${alone[@]}"; do
	one "$name"
done
for name in "${together[@]}"; do
	while [ "$(jobs -pr | wc -l)" -ge "${JOBS:-3}" ]; do
		wait -n
	done
	one "$name" &
done
wait
passed=$(find "$root" -maxdepth 1 -name '*.passed' | wc -l)
mapfile -t failed < <(cd "$root" && ls -- *.failed 2>/dev/null | sed 's/\.failed$//')
rm -f "$root"/*.passed "$root"/*.failed
rmdir "$root" 2>/dev/null
echo "end-to-end tests: $passed passed, ${#failed[@]} failed${failed[*]:+ (${failed[*]})}"
[ ${#failed[@]} -eq 0 ] && [ $passed -gt 0 ]
