# Sourced after harness.sh: the server and helpers of one work directory.

# Token and certificate for both ends: $W/token, $W/server.crt, $W/server.key.
credentials_make() {
	"$CULVERTD" gen-token tester >"$W/token" || fail "culvertd gen-token"
	chmod 600 "$W/token"
	"$CULVERTD" gen-cert --host "${SERVER_NAME:-localhost}" --cert "$W/server.crt" --key "$W/server.key" >"$W/gen-cert.out" 2>&1 ||
		fail "culvertd gen-cert: $(cat "$W/gen-cert.out")"
}

# Is culvertd built without sanitizers? They change times and memory: with them the rest is still true.
culvertd_is_plain() { ! ldd "$CULVERTD" | grep -q -E 'lib[a-z]+san'; }

# Starts culvertd under a name. A repeated one needs SERVER_PORT to come back on the same port.
# Sets SERVER_PORT; with SERVER_PLAIN=1 it listens without TLS, too, for sealed sessions: sets SERVER_HTTP_PORT; with SERVER_CLEAR=1
# for a web server in front of it: sets SERVER_CLEAR_PORT.
server_start() { # NAME ARG...
	local name=$1 address
	shift
	[ -z "${SERVER_PLAIN:-}" ] || set -- --listen-http "${SERVER_HOST:-127.0.0.1}:${SERVER_HTTP_PORT:-0}" "$@"
	[ -z "${SERVER_CLEAR:-}" ] || set -- --listen-clear "127.0.0.1:${SERVER_CLEAR_PORT:-0}" "$@"
	launch "$name" "$CULVERTD" --listen "${SERVER_HOST:-127.0.0.1}:${SERVER_PORT:-0}" --cert "$W/server.crt" --key "$W/server.key" \
		--token-file "$W/token" --admin "$W/$name.sock" --log-level "${LOG_LEVEL:-info}" "$@"
	address=$(ready "$name" https culvertd) || fail "culvertd did not start"
	SERVER_PORT=$(port_of "$address")
	[ -z "${SERVER_PLAIN:-}" ] || SERVER_HTTP_PORT=$(port_of "$(ready "$name" http culvertd)")
	[ -z "${SERVER_CLEAR:-}" ] || SERVER_CLEAR_PORT=$(port_of "$(ready "$name" clear culvertd)")
}

# Starts culvert under a name, towards SERVER_NAME:SERVER_PORT (or --server in the arguments).
helper_start() { # NAME ARG...
	local name=$1
	shift
	case " $* " in
	*" --server "*) ;;
	*) set -- --server "https://${SERVER_NAME:-localhost}:$SERVER_PORT" "$@" ;;
	esac
	case " $* " in
	*" --cafile "*) ;;
	*) set -- --cafile "$W/server.crt" "$@" ;;
	esac
	case " $* " in
	*" --control "*) ;;
	*) set -- --control none "$@" ;;
	esac
	case " $* " in
	*" --state "*) ;;
	*) set -- --state none "$@" ;;
	esac
	launch "$name" "$CULVERT" --token-file "$W/token" --log-level "${LOG_LEVEL:-info}" "$@"
}

# The address of a helper's listener; also of the Nth of a port range.
helper_udp() { # NAME SERVICE [N]
	ready "$1" udp "$2" "${3:-1}" || fail "the helper has no UDP listener"
}

helper_tcp() { # NAME SERVICE
	ready "$1" tcp "$2" || fail "the helper has no TCP listener"
}

datagrams() { # VERB ARG...
	$PYTHON "$TOP/tests/tools/datagrams.py" "$@"
}

signalling() { # VERB ARG...
	$PYTHON "$TOP/tests/tools/signalling.py" "$@"
}

# The usual targets: a UDP echo and a TCP echo. Sets UDP_TARGET and TCP_TARGET (ADDR:PORT).
targets_start() {
	launch udp-echo $PYTHON "$TOP/tests/tools/datagrams.py" serve
	launch tcp-echo $PYTHON "$TOP/tests/tools/signalling.py" serve
	UDP_TARGET=$(ready udp-echo udp echo) TCP_TARGET=$(ready tcp-echo tcp echo)
	[ -n "$UDP_TARGET" ] && [ -n "$TCP_TARGET" ] || fail "the echo targets did not start"
}
