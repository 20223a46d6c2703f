#!/usr/bin/env bash
# Runs end-to-end tests: all, or those named (with or without .sh). Each runs in a directory and with a time limit of its
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
passed=0 failed=()

show() { # DIR: the end of what was logged
	local log
	tail -n 15 "$1/test.log" | sed 's/^/    /'
	for log in "$1"/*.err; do
		[ -s "$log" ] || continue
		echo "    --- ${log##*/}"
		tail -n 12 "$log" | cut -c1-300 | sed 's/^/    /'
	done
}

for name in "${names[@]}"; do
	name=$(basename "$name" .sh)
	case $name in run | e2e) continue ;; esac
	[ -f "$name.sh" ] || { echo "no test $name" >&2; failed+=("$name"); continue; }
	limit=$(sed -n 's/^# seconds: //p' "$name.sh")
	mkdir -p "$root/$name"
	began=$SECONDS
	E2E_DIR=$root/$name timeout -k 10 "${limit:-60}" bash "./$name.sh" >"$root/$name/test.log" 2>&1
	rc=$?
	took=$((SECONDS - began))
	case $rc in
	0)
		passed=$((passed + 1))
		printf '  ok   %-18s %3d s  %s\n' "$name" $took "$(sed -n '2s/^# //p' "$name.sh")"
		[ -n "${KEEP:-}" ] || rm -rf "${root:?}/$name"
		;;
	*)
		failed+=("$name")
		[ $rc -ne 124 ] || echo "ended after its limit of ${limit:-60} s" >>"$root/$name/test.log"
		printf '  FAIL %-18s %3d s  (status %d; all of it: %s)\n' "$name" $took $rc "$root/$name"
		show "$root/$name"
		;;
	esac
done
rmdir "$root" 2>/dev/null
echo "end-to-end tests: $passed passed, ${#failed[@]} failed${failed[*]:+ (${failed[*]})}"
[ ${#failed[@]} -eq 0 ] && [ $passed -gt 0 ]
