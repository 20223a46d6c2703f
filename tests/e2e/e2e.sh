# Sourced by each end-to-end test: the common libraries, the work directory, the usual set-up.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"
. "$TOP/tests/lib/proxies.sh"
. "$TOP/tests/lib/culvert.sh"
. "$TOP/tests/lib/cell.sh"
work_begin "${E2E_DIR:-}"
LANE=e2e
SERVER_CERT=$W/server.crt

# Echo targets and a culvertd with the services udp and sig.
setup_echo() { # SERVER-ARG...
	credentials_make
	targets_start
	server_start culvertd --service "udp=udp://$UDP_TARGET" --service "sig=tcp://$TCP_TARGET" "$@"
}

# Far ends of calls and a culvertd for cell_run.
setup_calls() {
	CALL_SECONDS=${CALL_SECONDS:-2}
	credentials_make
	lane_start
	launch tcp-echo $PYTHON "$TOP/tests/tools/signalling.py" serve
	TCP_TARGET=$(ready tcp-echo tcp echo) || fail "no TCP echo"
	server_start culvertd --service "e2e-voice=udp://$VOICE_TARGET" --service "e2e-load=udp://$LOAD_TARGET" --service "sig=tcp://$TCP_TARGET"
}

# A call with tone, load and signalling; fails the test unless all is well.
call() { # PROXY RUNG
	local name=$1.$2
	cell_run "$name" "$1" "$2"
	note "$1 $2: $($PYTHON "$TOP/tests/lib/cell.py" line "$W/$name.json")"
	[ "$(json "$W/$name.json" ok)" = True ] || fail "$1 on $2: $(json "$W/$name.json" complaints)"
	CONNECTS=$(json "$W/$name.json" connects) TUNNELS=$(json "$W/$name.json" tunnels) EXCHANGES=$(json "$W/$name.json" exchanges)
}

# A helper with local ports for udp and sig. Sets UDP and SIG (ADDR:PORT).
helper_echo() { # NAME ARG...
	helper_start "$@" -L udp://127.0.0.1:0=udp -L tcp://127.0.0.1:0=sig
	UDP=$(helper_udp "$1" udp) SIG=$(helper_tcp "$1" sig)
}

passes() { # SECONDS: do datagrams pass?
	datagrams probe "$UDP" --seconds "$1" 2>/dev/null
}

# Ends a program, which must exit with that status.
stop_expecting() { # NAME STATUS
	local rc=0
	stop "$1" || rc=$?
	[ $rc -eq "$2" ] || fail "$1 ended with status $rc, not $2"
}
