# Sourced after e2e.sh: culvertd with REST, a target that says everything again, and the nasty proxy, whose faults change.
#
#   chaos_ends [SERVER-ARG...]    starts them; sets BEARER and TARGET; the server's port does not change when it is started again
#   chaos_faults                  the next ones of CHAOS
#   chaos_until NAME              other faults each second or two and a reload of the server now and then, until a program ends; a sleep
#                                 of it (SIGSTOP) now and then, SLEEPS="SECONDS...", in turn. Counts: FAULTS, RELOADS, SLEPT
#   chaos_node, chaos_chromium, chaos_closed, chaos_restart   see there

chaos_ends() { # SERVER-ARG...
	credentials_make
	launch target $PYTHON "$TOP/tests/tools/wsservice.py" serve 0
	TARGET=$(ready target tcp wsservice) || fail "no target"
	printf 'rest = true\norigins = { "http://127.0.0.1:%s" }\nservice sig { target = "ws://%s/" }\n' "${SITE_PORT:=$(free_port)}" "$TARGET" >"$W/culvertd.conf"
	server_start culvertd -c "$W/culvertd.conf" "$@"
	BEARER=$(head -n 1 "$W/token" | tr -d '\n' | base64 -w 0 | tr '+/' '-_' | tr -d =)
	proxy_start nasty nasty "" "$W/server.crt"
	FAULTS=0 RELOADS=0 SLEPT=0
}

CHAOS_NONE="lose_up=0 lose_down=0 duplicate=0 late=0 cut_bytes=0 cut_age=0 cut_idle=0 store=none html200=0 close=0 http10=0 hold_down=0 cut_how=fin"
CHAOS=(
	"lose_up=7 lose_down=5"
	"duplicate=3 late=4"
	"lose_down=3"
	"cut_bytes=30000"
	"cut_bytes=150000 cut_how=rst late=6"
	"cut_age=0.7 cut_how=rst"
	"cut_age=0.4 duplicate=2"
	"cut_idle=0.3 lose_up=9"
	"store=both lose_down=6 late=5"
	"store=down http10=1 duplicate=4"
	"close=1 late=3 lose_up=6"
	"html200=6"
	"hold_down=4096 cut_age=1.5"
	"lose_up=5 lose_down=5 duplicate=5 late=5 cut_bytes=60000"
	""
)

chaos_faults() {
	nasty_switch nasty $CHAOS_NONE ${CHAOS[FAULTS % ${#CHAOS[@]}]}
	FAULTS=$((FAULTS + 1))
}

chaos_until() { # NAME
	local sleeps=(${SLEEPS:-})
	while running "$1"; do
		! grep -s -q -E "^(all|FAILED)" "$W/$1.out" || break
		chaos_faults
		sleep "0.$((4 + RANDOM % 6))"
		if [ $((FAULTS % 4)) -eq 3 ]; then
			kill -HUP "${PID[culvertd]}"
			RELOADS=$((RELOADS + 1))
		fi
		if [ $((FAULTS % 5)) -eq 4 ] && [ $SLEPT -lt ${#sleeps[@]} ] && running "$1"; then
			kill -STOP "${PID[$1]}"
			sleep "${sleeps[SLEPT]}"
			kill -CONT "${PID[$1]}"
			SLEPT=$((SLEPT + 1))
		fi
	done
	nasty_switch nasty $CHAOS_NONE
}

# What the proxy did to whom it served.
chaos_counts() {
	awk '$3 == "exchange" { n++; if ($6 == 0) lost++ } $3 == "cut" { cut++ } END { print n + 0, "exchanges,", lost + 0, "of them lost or cut,", cut + 0, "connections cut" }' \
		"${PROXY_LOG[nasty]}"
}

chaos_lost() { # how many requests and answers went nowhere
	grep -c -E "an answer was lost|a request was lost" "$W/nasty.err"
}

# A client and COUNT messages of it, all of which must come back once.
chaos_through() { # NAME COUNT COMMAND...
	launch "$1" "${@:3}"
	chaos_until "$1"
	grep -q "^all $2 " "$W/$1.out" || fail "$1: $(tail -n 1 "$W/$1.out" "$W/$1.err")"
	note "$1: $(grep "^all" "$W/$1.out"); $FAULTS faults, $RELOADS reloads, $SLEPT sleeps; $(chaos_counts)"
	SLEPT=0
}

chaos_node() { # NAME TRANSPORT COUNT
	chaos_through "$1" "$3" node "$TOP/tests/web/once_node.mjs" "${PROXY_PORT[nasty]}" "$SERVER_PORT" "$BEARER" "$3" "$2"
}

chaos_chromium() { # NAME TRANSPORT COUNT
	chaos_through "$1" "$3" $PYTHON "$TOP/tests/web/once_chromium.py" "$W/$1-profile" "${PROXY_PORT[nasty]}" "$SERVER_PORT" "$BEARER" "$3" "$2" "$SITE_PORT"
}

# The session of a client is gone: it must say so, and nothing else.
chaos_closed() { # NAME
	finish "$1" 60 || fail "$1 has status $?: $(tail -n 1 "$W/$1.out")"
	[ "$(tail -n 1 "$W/$1.out")" = "closed 1006 false" ] || fail "$1: $(tail -n 1 "$W/$1.out")"
}

chaos_restart() { # [SERVER-ARG...]
	stop culvertd
	server_start culvertd -c "$W/culvertd.conf" "$@"
}
