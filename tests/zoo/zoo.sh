#!/usr/bin/env bash
# make zoo: a call and signalling through every proxy of the zoo, no rung given, then the doctor's verdict on each; prints the
# matrix and writes it as JSON.
#   zoo.sh [-o FILE] [KIND...]      all rows, or those named; exit status 0 when every row is as it should be
# Two rows run at a time (ZOO_JOBS), and afterwards, as they mostly wait, ten doctors (ZOO_DOCTORS; 0: none). Of a row that is
# not as it should be the directories are kept. ZOO_SECONDS: of a call.
. "$(dirname "$0")/rows.sh"
. "$(dirname "$0")/../lib/harness.sh"
. "$TOP/tests/lib/proxies.sh"
set -u
output=$TOP/build/zoo.json
if [ "${1:-}" = -o ]; then
	output=$(realpath -m "$2")
	shift 2
fi
names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(zoo_names)
for name in "${names[@]}"; do
	[ -n "$(zoo_rungs "$name")" ] || { echo "no such row: $name; there are: $(zoo_names | xargs)" >&2; exit 2; }
done
work_begin

# A row that leaves nothing gets a row that says so.
row_failed() { # NAME WHY
	printf '{"proxy":"%s","mode":"?","rung":null,"cuts_made":0,"signalling":null,"engine_io":null,"ok":false,"complaints":["%s"]}\n' "$1" "$2"
}

row_ended() { # NAME
	local rc=0
	finish "$1" 0 || rc=$?
	[ $rc -ne 124 ] || return 1
	if [ ! -s "$W/$1.json" ]; then
		row_failed "$1" "the row ended with status $rc; see $W/$1 and $W/$1.err" >"$W/$1.json"
	fi
	$PYTHON "$ZOO_TOP/report.py" table "$W/$1.json" | sed -n 3p
	if grep -q '"ok": true' "$W/$1.json"; then
		rm -rf "${W:?}/$1"
	fi
}

# What the doctor said becomes part of the row.
doctor_ended() { # NAME
	local rc=0
	finish "$1.doctor" 0 || rc=$?
	[ $rc -ne 124 ] || return 1
	$PYTHON "$ZOO_TOP/report.py" doctor --row "$W/$1.json" --said "$W/$1.said" --mode "$(proxy_mode "$1")" --rungs "$(zoo_rungs "$1")" \
		--known "$(zoo_doctor "$1")"
	if grep -q '"ok": true' "$W/$1.json"; then
		rm -rf "${W:?}/$1.doctor"
	fi
}

reap() { # COUNT WHAT: waits until fewer than so many rows or doctors are going on
	local each
	while [ ${#going[@]} -ge "$1" ] && [ ${#going[@]} -gt 0 ]; do
		for each in "${!going[@]}"; do
			! "$2_ended" "$each" || unset "going[$each]"
		done
		sleep 0.2
	done
}

ZOO_TOP=$TOP/tests/zoo
declare -A going=()
began=$SECONDS
echo "${#names[@]} rows"
for name in "${names[@]}"; do
	reap "${ZOO_JOBS:-2}" row
	ZOO_DIR=$W/$name launch "$name" timeout -k 5 120 bash "$ZOO_TOP/row.sh" "$name" "$W/$name.json"
	going[$name]=1
done
reap 1 row
if [ "${ZOO_DOCTORS:-10}" -gt 0 ]; then
	echo "the doctor: ${#names[@]} verdicts"
	for name in "${names[@]}"; do
		reap "${ZOO_DOCTORS:-10}" doctor
		ZOO_DIR=$W/$name.doctor launch "$name.doctor" timeout -k 5 150 bash "$ZOO_TOP/doctor.sh" "$name" "$W/$name.said"
		going[$name]=1
	done
	reap 1 doctor
fi
files=("${names[@]/#/$W/}")
files=("${files[@]/%/.json}")
mkdir -p "$(dirname "$output")"
$PYTHON "$ZOO_TOP/report.py" json "${files[@]}" >"$output" && echo "in $((SECONDS - began)) s; written: $output"
$PYTHON "$ZOO_TOP/report.py" table "${files[@]}" || { echo "logs: $W"; exit 1; }
rm -rf "$W"
