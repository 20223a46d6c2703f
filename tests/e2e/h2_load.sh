#!/usr/bin/env bash
# h2load with 100 connections and 100 streams on each, on /healthz and on the cover below the base path: all answered, and calls go on.
# seconds: 150
# alone: it measures time
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/besieged.sh"
besieged_start
before=$(descriptors) most_before=$(resident_most)

quiet() {
	besieged_begin "$1" 4
	besieged_end "$1"
	note "$1: late $LATE of $SENT"
	QUIET_LATE=$((QUIET_LATE + LATE)) QUIET_SENT=$((QUIET_SENT + SENT))
}

load() { # LABEL PATH REQUESTS
	besieged_begin "$1" 6
	launch "$1" nice h2load -c 100 -m 100 -n "$3" "https://127.0.0.1:$SERVER_PORT$2"
	finish "$1" 90 || fail "h2load ended with status $?: $(tail -n 3 "$W/$1.err")"
	besieged_end "$1"
	note "$1: late $LATE of $SENT; $(grep -E '^(finished|requests|status codes)' "$W/$1.out" | tr '\n' ' ')"
	grep -q -E "^requests: $3 total, $3 started, $3 done, .* 0 failed, 0 errored, 0 timeout" "$W/$1.out" || fail "$1: not all were answered"
	LOAD_LATE=$((LOAD_LATE + LATE)) LOAD_SENT=$((LOAD_SENT + SENT))
}

QUIET_LATE=0 QUIET_SENT=0 LOAD_LATE=0 LOAD_SENT=0
quiet quiet-1
load healthz /healthz 100000
grep -q "^status codes: 100000 2xx" "$W/healthz.out" || fail "/healthz: not all 200"
quiet quiet-2
load cover "/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA?c=0&x=0&m=poll" 100000
grep -q "^status codes: 0 2xx, 0 3xx, 100000 4xx" "$W/cover.out" || fail "cover: not all 404"
quiet quiet-3
settled() { [ "$(descriptors)" -le "$before" ]; }
await 15 settled || fail "$(descriptors) descriptors, not $before"
note "memory: $most_before KB before, $(resident_most) KB at most, $(resident) KB after"
note "late: $LOAD_LATE of $LOAD_SENT under load, $QUIET_LATE of $QUIET_SENT without"
stop_expecting h1 0
stop_expecting h2 0
stop_expecting culvertd 0
