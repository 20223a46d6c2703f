#!/usr/bin/env bash
# Attacks by WebSocket of somebody who has a token: each is ended or harmless, memory and descriptors stay, calls do not notice.
# seconds: 240
# alone: it measures time
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/besieged.sh"
FOR=3 CONNECTIONS=${CONNECTIONS:-8}
MORE_KB=20000 # a session of each attacker is kept for a while

# How a WebSocket of each attack may end (extended regular expression; of all of them, but those that its time ran out for).
attacks() {
	cat <<-'END'
		pings            closed 1008|cut
		empty-pings      closed 1008|cut
		pongs            closed 1008|cut
		empty-fragments  closed 1008|cut
		empty-messages   closed 1008|cut
		endless-message  closed 1009|cut
		huge-length      closed 1009|cut
		octet-by-octet   open
		questions        open
		wrong-frames     closed (1002|1003|1007)|cut
		rubbish          closed 1002|cut
		closes           closed 1000|cut
		silence          open
		strangers        refused
	END
}

attack() { # NAME OUTCOMES
	besieged_begin "$1" $FOR
	timeout 40 $PYTHON "$TOP/tests/peer/attack_websocket.py" "$1" --server "https://localhost:$SERVER_PORT/culvert" --cafile "$SERVER_CERT" \
		--token-file "$W/token" --seconds $FOR --connections "$CONNECTIONS" >"$W/attack-$1.out" 2>"$W/attack-$1.err" ||
		fail "$1: the attack ended with status $?: $(tail -n 1 "$W/attack-$1.err")"
	running culvertd || fail "$1: culvertd is no more"
	besieged_end "$1"
	$PYTHON - "$W/attack-$1.out" "$2" "$CONNECTIONS" <<-'PY' || fail "$1 ended otherwise: $(cat "$W/attack-$1.out")"
		import json, re, sys
		ends = json.load(open(sys.argv[1]))["ends"]
		other = sum(n for how, n in ends.items() if not re.fullmatch(sys.argv[2], how))
		last = ends.get("open", 0) if other == ends.get("open", 0) and len(ends) > 1 else 0
		sys.exit(other - min(last, int(sys.argv[3])) > 0 or not ends)
	PY
	note "$(printf '%-16s late %3d of %4d  %6d KB  %s' "$1" "$LATE" "$SENT" "$(resident)" "$(cut -c1-120 "$W/attack-$1.out")")"
	attacked_late=$((attacked_late + LATE)) attacked_sent=$((attacked_sent + SENT))
}

quiet() { # LABEL: without any attack
	besieged_begin "$1" $FOR
	besieged_end "$1"
	quiet_late=$((quiet_late + LATE)) quiet_sent=$((quiet_sent + SENT))
}

# One of each kind, where all would take too long.
[ -z "${QUICK:-}" ] || ONLY='(empty-pings|endless-message|octet-by-octet|wrong-frames|strangers)'
attacked_late=0 attacked_sent=0 quiet_late=0 quiet_sent=0 n=0
besieged_start
before=$(resident)
while read -r name outcomes; do
	[ $((n++ % 5)) -ne 0 ] || quiet "quiet-$n"
	attack "$name" "$outcomes"
done < <(attacks | grep -E -- "^${ONLY:-.*} ")

note "memory: $before KB before, $(resident_most) KB at most, $(resident) KB after"
[ "$(resident_most)" -le $((before + MORE_KB)) ] || fail "$(resident_most) KB at most, $before KB before"
note "late: $attacked_late of $attacked_sent while attacked, $quiet_late of $quiet_sent without"
check "$attacked_late" "<=" "$(awk -v l=$quiet_late -v q=$quiet_sent -v a=$attacked_sent 'BEGIN { print a * (l / q + 0.01) }')" \
	"packets late of $attacked_sent while attacked ($quiet_late of $quiet_sent without)"
besieged_over
