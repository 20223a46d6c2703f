#!/usr/bin/env bash
# h2load with 100 connections and 100 streams on each, on /healthz and on the cover below the base path: all answered, and calls go on.
# seconds: 150
# long
# alone: it measures time
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/besieged.sh"
besieged_start
most_before=$(resident_most)

quiet() {
	besieged_begin "$1" 4
	besieged_end "$1"
	note "$1: late $LATE of $SENT"
	QUIET_LATE=$((QUIET_LATE + LATE)) QUIET_SENT=$((QUIET_SENT + SENT))
}

# All requests were answered with such a status (2 or 4); h2load takes 4xx for failed.
load() { # LABEL PATH CLASS
	besieged_begin "$1" 6
	launch "$1" nice h2load -c 100 -m 100 -D 6 "https://127.0.0.1:$SERVER_PORT$2"
	finish "$1" 60 || fail "h2load ended with status $?: $(tail -n 3 "$W/$1.err")"
	besieged_end "$1"
	note "$1: late $LATE of $SENT; $(grep -E '^(finished|requests)' "$W/$1.out" | tr '\n' ' ')"
	$PYTHON - "$W/$1.out" "$3" <<-'PY' || fail "$1: not all were answered: $(cat "$W/$1.out")"
		import re, sys
		told = open(sys.argv[1]).read()
		done, failed, errored, timeout = (int(re.search(r"(\d+) " + what, told)[1]) for what in ("done", "failed", "errored", "timeout"))
		answered = int(re.search(r"(\d+) " + sys.argv[2] + "xx", told)[1])
		sys.exit(done < 10000 or errored or timeout or answered != done or failed != (0 if sys.argv[2] == "2" else done))
	PY
	LOAD_LATE=$((LOAD_LATE + LATE)) LOAD_SENT=$((LOAD_SENT + SENT))
}

QUIET_LATE=0 QUIET_SENT=0 LOAD_LATE=0 LOAD_SENT=0
quiet quiet-1
load healthz /healthz 2
quiet quiet-2
load cover "/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA?c=0&x=0&m=poll" 4
quiet quiet-3
note "memory: $most_before KB before, $(resident_most) KB at most, $(resident) KB after"
# 100 connections of 100 exchanges: at most half a megabyte for each connection, TLS, buffers and heads together.
! besieged_measures || check "$(resident_most)" "<=" $((most_before + 100 * 512)) "KB of memory at most"
! besieged_measures || check "$LOAD_LATE" "<=" "$(awk -v l=$QUIET_LATE -v q=$QUIET_SENT -v a=$LOAD_SENT 'BEGIN { print a * (l / q + 0.04) }')" \
	"packets late of $LOAD_SENT under load ($QUIET_LATE of $QUIET_SENT without)"
note "late: $LOAD_LATE of $LOAD_SENT under load, $QUIET_LATE of $QUIET_SENT without"
besieged_over
