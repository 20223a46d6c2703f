#!/usr/bin/env bash
# The server's own echo: on each rung whole and with its clock; its rate held; refused with words when off; its name reserved.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
stamped() {
	$PYTHON "$TOP/tests/tools/stamped.py" "$@"
}
setup_echo
for rung in duplex split push poll; do
	helper_start $rung --rung $rung -L udp://127.0.0.1:0=culvert.echo
	ECHO=$(helper_udp $rung culvert.echo)
	datagrams probe "$ECHO" --seconds 10 || fail "$rung: nothing comes back"
	stamped check "$ECHO" || fail "$rung: wrong echo"
	datagrams sources "$ECHO" --repeat 2 || fail "$rung: an echo went to another source"
	stop_expecting $rung 0
done

# 500 packets/s for 3 s: at most 200 of each second come back, whichever second is meant, and no fewer than a call needs.
helper_start loud -L udp://127.0.0.1:0=culvert.echo
ECHO=$(helper_udp loud culvert.echo)
datagrams probe "$ECHO" --seconds 10 || fail "nothing comes back"
came=$(stamped burst "$ECHO" --count 1500) || fail "burst"
check "$came" "<=" 800 "answers to 1500 packets in 3 s"
check "$came" ">=" 400 "answers to 1500 packets in 3 s"
# Another channel of the same session has no share of its own; another session has.
sleep 1.1
stamped burst "$ECHO" --count 1000 >"$W/first.came" &
other=$!
second=$(stamped burst "$ECHO" --count 1000) || fail "second burst"
wait $other || fail "first burst"
both=$((second + $(cat "$W/first.came")))
check "$both" "<=" 600 "answers to two sources at once, in 2 s"
"$CULVERTD" status --admin "$W/culvertd.sock" --json >"$W/status.json" || fail "status"
check "$(json "$W/status.json" counters.dropped_echo)" ">=" 1900 "dropped packets counted"
helper_start quiet -L udp://127.0.0.1:0=culvert.echo
QUIET=$(helper_udp quiet culvert.echo)
datagrams probe "$QUIET" --seconds 10 || fail "another session has no echo"
stamped check "$QUIET" || fail "another session: wrong echo"
stop_expecting loud 0
stop_expecting quiet 0

# Switched off.
printf 'echo = off\n' >"$W/off.conf"
SERVER_PORT=
server_start off -c "$W/off.conf" --service "udp=udp://$UDP_TARGET"
helper_start refused -L udp://127.0.0.1:0=culvert.echo
ECHO=$(helper_udp refused culvert.echo)
datagrams probe "$ECHO" --seconds 3 2>/dev/null && fail "an echo that is switched off answers"
expect refused 5 "culvert.echo.*operator has switched this service off"

# The names are reserved, on the command line and in the file.
printf 'service culvert.echo { target = "udp://127.0.0.1:7" }\n' >"$W/reserved.conf"
for args in "--service culvert.echo=udp://127.0.0.1:7" "-c $W/reserved.conf"; do
	rc=0
	# shellcheck disable=SC2086
	"$CULVERTD" --check --cert "$W/server.crt" --key "$W/server.key" --token-file "$W/token" $args >"$W/reserved.out" 2>&1 || rc=$?
	[ $rc -eq 2 ] || fail "status $rc, not 2: $args"
	grep -q "names that begin with culvert. are culvertd's own" "$W/reserved.out" || fail "no such message: $(cat "$W/reserved.out")"
done
