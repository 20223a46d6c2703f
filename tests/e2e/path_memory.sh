#!/usr/bin/env bash
# What a helper learned of a path is used by the next one at once; a wrong verdict does no harm and is corrected.
# seconds: 150
. "$(dirname "$0")/e2e.sh"
LOG_LEVEL=debug setup_echo
export LOG_LEVEL=debug # tells when connections begin

# ms from the first connection of a helper to a line of its log.
after() { # NAME PATTERN
	awk -v pattern="$2" '
		function ms(t, p) { split(t, p, /[:T.Z]/); return ((p[2] * 60 + p[3]) * 60 + p[4]) * 1000 + p[5] }
		/ dial .*-> connect/ && !first { first = ms($1) }
		$0 ~ pattern { print ms($1) - first; found = 1; exit }
		END { exit !found }' "$W/$1.err" || fail "$1 did not say: $2"
}
rungs_of() { # FILE: the rung and the limit of each path in it
	$PYTHON -c 'import json, sys
for p in json.load(open(sys.argv[1]))["paths"]:
    print(p["rung"], p["limit"])' "$1"
}
path_says() { # NAME FIELD
	"$CULVERT" status --json --control "$W/$1.control" >"$W/status" || fail "no status of $1"
	$PYTHON -c 'import json, sys
print(json.load(open(sys.argv[1]))["path"][sys.argv[2]])' "$W/status" "$2"
}
helper() { # NAME PROXY STATE ARG...
	local name=$1 proxy=$2 state=$3
	shift 3
	helper_echo "$name" --proxy "http://127.0.0.1:${PROXY_PORT[$proxy]}" --cafile "${PROXY_CA[$proxy]}" --state "$state" \
		--control "$W/$name.control" "$@"
}
carries() { # NAME RUNG SECONDS: by that rung, with signalling intact
	await "$3" rung_is "$1" "$2" || fail "$1 is not carried by $2: $(path_says "$1" rung)"
	signalling check "$SIG" --bytes 100000 --seconds 1 >"$W/$1.signalling" || fail "$1: not intact: $(cat "$W/$1.signalling")"
}
rung_is() {
	[ "$(path_says "$1" rung 2>/dev/null)" = "$2" ]
}

# ---- a proxy that streams both ways ----
proxy_start squid squid-bump "443 $SERVER_PORT" "$SERVER_CERT"
helper warm squid none
carries warm duplex 20
stop_expecting warm 0
helper first squid "$W/paths.squid"
carries first duplex 20
expect first 5 "measured: both ways at once passes.*: the best rung is duplex"
[ "$(path_says first why)" = "measured: it passes here" ] || fail "why: $(path_says first why)"
stop_expecting first 0
[ "$(rungs_of "$W/paths.squid")" = "duplex 0" ] || fail "learned of Squid: $(cat "$W/paths.squid")"
[ "$(stat -c %a "$W/paths.squid")" = 600 ] || fail "the mode of the file is $(stat -c %a "$W/paths.squid")"

helper second squid "$W/paths.squid"
carries second duplex 20
[ "$(path_says second why)" = "known from before" ] || fail "why: $(path_says second why)"
grep -q "measured:" "$W/second.err" && fail "what was known was measured again"
stop_expecting second 0
first=$(after first "duplex is proven") second=$(after second "duplex is proven") poll=$(after second "(poll|duplex) is proven")
note "squid: the first carrier after $(after first "is proven") ms, then $poll; duplex after $first ms, then $second"
check "$second" "<" "$first" "ms until duplex carries when it is known"
check "$second" "<=" "$((poll + 400))" "ms until duplex carries (two marks 100 ms apart) though the first carrier stood after $poll"

# ---- a proxy that stores and forwards, two connections for each client ----
proxy_start storefwd storefwd "" "$SERVER_CERT"
helper stored storefwd "$W/paths.storefwd"
carries stored poll 10
expect stored 30 "the best rung is poll"
expect stored 5 "one more than [12] connections was refused"
stop_expecting stored 0
[ "$(rungs_of "$W/paths.storefwd")" = "poll 2" ] || fail "learned of storefwd: $(cat "$W/paths.storefwd")"
check "$(grep -c " refused " "$W/storefwd/exchanges.log")" ">=" 1 "connections refused while the limit was not known"

lines=$(wc -l <"$W/storefwd/exchanges.log")
helper again storefwd "$W/paths.storefwd"
carries again poll 10
passes 10 || fail "no datagrams"
stop_expecting again 0
tail -n +$((lines + 1)) "$W/storefwd/exchanges.log" | grep " refused " && fail "the limit was forgotten"
note "storefwd: poll after $(after stored "is proven") ms, then $(after again "is proven")"

# ---- a wrong verdict: of a rung that is refused, of one that is held back ----
for wrong in duplex push; do
	sed "s/\"rung\": \"poll\"/\"rung\": \"$wrong\"/; s/\"limit\": 2/\"limit\": 0/" "$W/paths.storefwd" >"$W/paths.$wrong"
	[ "$(rungs_of "$W/paths.$wrong")" = "$wrong 0" ] || fail "the file was not changed: $(cat "$W/paths.$wrong")"
	helper misled.$wrong storefwd "$W/paths.$wrong"
	carries misled.$wrong poll 10
	signalling check "$SIG" --bytes 1000000 --seconds 5 >"$W/misled" || fail "misled by $wrong: not intact: $(cat "$W/misled")"
	passes 5 || fail "misled by $wrong: no datagrams"
	rung_is misled.$wrong poll || fail "misled by $wrong: carried by $(path_says misled.$wrong rung)"
	expect misled.$wrong 30 "the best rung is poll"
	stop_expecting misled.$wrong 0
	note "misled by $wrong: the first carrier after $(after misled.$wrong "is proven") ms"
	[ "$(rungs_of "$W/paths.$wrong")" = "poll 2" ] || fail "the wrong verdict of $wrong stayed: $(cat "$W/paths.$wrong")"
done

# ---- no file ----
mkdir -m 700 "$W/home"
HOME=$W/home XDG_STATE_HOME=$W/home/state STATE_DIRECTORY=$W/home/directory helper nowhere squid none
carries nowhere duplex 20
stop_expecting nowhere 0
[ -z "$(find "$W/home" -type f)" ] || fail "files in spite of --state none: $(find "$W/home" -type f)"
stop_expecting culvertd 0
