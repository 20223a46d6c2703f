#!/usr/bin/env bash
# Attacks on HTTP/2, one after the other, from many connections: each is ended or harmless, memory and descriptors stay, calls do not notice.
# seconds: 400
# alone: it measures time
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/besieged.sh"
FOR=3 CONNECTIONS=${CONNECTIONS:-10}

# How a connection of each attack may end (extended regular expression; of all of them, but those that its time ran out for: "open" there).
attacks() {
	cat <<-'END'
		rapid-reset             goaway ENHANCE_YOUR_CALM|closed
		made-you-reset          goaway (ENHANCE_YOUR_CALM|FLOW_CONTROL_ERROR)|closed
		made-you-reset-length   goaway (ENHANCE_YOUR_CALM|PROTOCOL_ERROR)|closed
		malformed-requests      goaway (ENHANCE_YOUR_CALM|PROTOCOL_ERROR)|closed
		settings-flood          goaway ENHANCE_YOUR_CALM|closed
		settings-flood-read     goaway ENHANCE_YOUR_CALM|closed
		ping-flood              goaway ENHANCE_YOUR_CALM|closed
		ping-flood-read         goaway ENHANCE_YOUR_CALM|closed
		empty-data              goaway (ENHANCE_YOUR_CALM|STREAM_CLOSED)|closed
		padded-data             goaway (ENHANCE_YOUR_CALM|STREAM_CLOSED)|closed
		unwanted-body           goaway (ENHANCE_YOUR_CALM|STREAM_CLOSED|FLOW_CONTROL_ERROR)|closed|open
		empty-headers           goaway (ENHANCE_YOUR_CALM|PROTOCOL_ERROR)|closed
		trailers                goaway (ENHANCE_YOUR_CALM|PROTOCOL_ERROR|STREAM_CLOSED)|closed
		continuation-flood      goaway (ENHANCE_YOUR_CALM|INTERNAL_ERROR|PROTOCOL_ERROR)|closed
		continuation-empty      goaway (ENHANCE_YOUR_CALM|INTERNAL_ERROR|PROTOCOL_ERROR)|closed
		half-heads              open
		header-bomb             goaway (ENHANCE_YOUR_CALM|COMPRESSION_ERROR)|closed
		cookie-bomb             goaway (ENHANCE_YOUR_CALM|COMPRESSION_ERROR)|closed
		many-headers            goaway (ENHANCE_YOUR_CALM|COMPRESSION_ERROR)|closed
		window-none             open
		window-bytes            open|goaway (ENHANCE_YOUR_CALM|PROTOCOL_ERROR)|closed
		window-flood            goaway (ENHANCE_YOUR_CALM|FLOW_CONTROL_ERROR)|closed
		window-overflow         goaway FLOW_CONTROL_ERROR
		window-swing            goaway ENHANCE_YOUR_CALM|closed
		priority-flood          goaway ENHANCE_YOUR_CALM|closed
		priority-update-flood   goaway (ENHANCE_YOUR_CALM|PROTOCOL_ERROR)|closed
		depends-on-itself       goaway (ENHANCE_YOUR_CALM|PROTOCOL_ERROR)|closed
		too-many-streams        goaway (ENHANCE_YOUR_CALM|PROTOCOL_ERROR)|closed
		half-open               open
		huge-frame              goaway FRAME_SIZE_ERROR|closed
		unknown-frames          goaway ENHANCE_YOUR_CALM|closed
		slow-read               goaway ENHANCE_YOUR_CALM|closed|open
		goaway-then-more        goaway .*|closed
		request-flood           open
		garbage-preface         goaway PROTOCOL_ERROR|closed
		garbage-frames          goaway .*|closed
		preface-only            open
		upgrade-h2c             open
	END
}

attack() { # NAME OUTCOMES
	local late sent
	besieged_begin "$1" $FOR
	launch "attack-$1" $PYTHON "$TOP/tests/tools/h2attack.py" "$1" "127.0.0.1:$SERVER_PORT" --cafile "$SERVER_CERT" --seconds $FOR \
		--connections "$CONNECTIONS"
	finish "attack-$1" 60 || fail "$1: the attack ended with status $?: $(tail -n 1 "$W/attack-$1.err")"
	running culvertd || fail "$1: culvertd is no more"
	besieged_end "$1"
	$PYTHON - "$W/attack-$1.out" "$2" <<-'PY' || fail "$1 ended otherwise: $(cat "$W/attack-$1.out")"
		import json, re, sys
		told = json.load(open(sys.argv[1]))
		own = sum(n for how, n in told["outcomes"].items() if not re.fullmatch(sys.argv[2], how))
		whole = re.fullmatch(sys.argv[2], "open") is not None
		# Begun shortly before the end of its time, it may not have come to an end.
		sys.exit(own > (0 if whole else told["outcomes"].get("open", 0)) or not whole and told["outcomes"].get("open", 0) * 2 > told["connections"])
	PY
	note "$(printf '%-22s late %3d of %4d  %6d KB  %s' "$1" "$LATE" "$SENT" "$(resident)" "$(cut -d, -f2- "$W/attack-$1.out" | cut -c1-160)")"
	attacked_late=$((attacked_late + LATE)) attacked_sent=$((attacked_sent + SENT))
}

quiet() { # LABEL: without any attack
	besieged_begin "$1" $FOR
	besieged_end "$1"
	note "$(printf '%-22s late %3d of %4d  %6d KB' "$1" "$LATE" "$SENT" "$(resident)")"
	quiet_late=$((quiet_late + LATE)) quiet_sent=$((quiet_sent + SENT))
}

# One of each kind, where all would take too long.
[ -z "${QUICK:-}" ] || ONLY='(rapid-reset|made-you-reset|settings-flood|continuation-flood|header-bomb|window-none|slow-read|request-flood)'
attacked_late=0 attacked_sent=0 quiet_late=0 quiet_sent=0 n=0
besieged_start
most_before=$(resident_most)
while read -r name outcomes; do
	[ $((n++ % 8)) -ne 0 ] || quiet "quiet-$n"
	attack "$name" "$outcomes"
done < <(attacks | grep -E -- "^${ONLY:-.*} ")

# The log says what it was, and who.
if [ -z "${ONLY:-}" ]; then
	for what in "too many streams reset" "too many frames that carry nothing" "too many bytes for nobody" "too many heads without an end" \
		"connection 127.0.0.1:[0-9]+: closed: it did too much"; do
		expect culvertd 1 "$what"
	done
	[ "$(wc -l <"$W/culvertd.err")" -le 2000 ] || fail "the attacks fill the log: $(wc -l <"$W/culvertd.err") lines"
fi
note "memory: $most_before KB before, $(resident_most) KB at most, $(resident) KB after"
note "late: $attacked_late of $attacked_sent while attacked, $quiet_late of $quiet_sent without"
# As many exchanges as a connection may have, each with room for an answer, and half a megabyte for everything else.
! besieged_measures || check "$(resident_most)" "<=" $((most_before + CONNECTIONS * (100 * 18 + 512))) "KB of memory at most"
! besieged_measures || check "$attacked_late" "<=" "$(awk -v l=$quiet_late -v q=$quiet_sent -v a=$attacked_sent 'BEGIN { print a * (l / q + 0.01) }')" \
	"packets late of $attacked_sent while attacked ($quiet_late of $quiet_sent without)"
besieged_over
