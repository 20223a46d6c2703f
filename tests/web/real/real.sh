#!/usr/bin/env bash
# make web-real: janus.js, JsSIP and SIP.js in Chromium through each proxy of rows.sh; prints what came of them and writes it as JSON.
#   real.sh [-o FILE] [KIND...]      all rows, or those named; exit status 0 when each is as it should be
# REAL_JOBS (2) rows at a time. Of a row that is not as it should be the directory is kept. REAL_CLIENTS, REAL_MODES: see row.sh.
. "$(dirname "$0")/rows.sh"
. "$(dirname "$0")/../../lib/harness.sh"
set -u
output=$TOP/build/web-real.json
if [ "${1:-}" = -o ]; then
	output=$(realpath -m "$2")
	shift 2
fi
names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(real_names)
for name in "${names[@]}"; do
	[ -n "$(real_column "$name" 2)" ] || { echo "no such row: $name; there are: $(real_names | xargs)" >&2; exit 2; }
done
work_begin
bad=()
declare -A going=()

ended() { # KIND
	local rc=0
	finish "$1" 0 || rc=$?
	[ $rc -ne 124 ] || return 1
	[ ! -s "$W/$1.json" ] || $PYTHON "$TOP/tests/web/real/report.py" "$W/$1.json"
	if [ $rc -eq 0 ]; then
		rm -rf "${W:?}/$1"
	else
		echo "$1: ended with status $rc; see $W/$1; $(tail -n 2 "$W/$1.err")"
		bad+=("$1")
	fi
}

reap() { # COUNT: waits until fewer than so many rows are going on
	local each
	while [ ${#going[@]} -ge "$1" ] && [ ${#going[@]} -gt 0 ]; do
		for each in "${!going[@]}"; do
			! ended "$each" || unset "going[$each]"
		done
		sleep 0.1
	done
}

$PYTHON "$TOP/tests/web/real/report.py" --head
for name in "${names[@]}"; do
	reap "${REAL_JOBS:-2}"
	REAL_DIR=$W/$name launch "$name" timeout -k 5 240 "$TOP/tests/web/real/row.sh" "$name" "$W/$name.json"
	going[$name]=1
done
reap 1
mkdir -p "$(dirname "$output")"
cat "$W"/*.json >"$output"
echo "web-real: $((${#names[@]} - ${#bad[@]})) passed, ${#bad[@]} failed${bad[*]:+ (${bad[*]})}, in $SECONDS s; written: $output"
[ ${#bad[@]} -eq 0 ] || exit 1
rm -rf "$W"
