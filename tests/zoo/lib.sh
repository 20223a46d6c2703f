# Sourced after harness.sh, culvert.sh, proxies.sh and rows.sh: a call through one proxy as a person would make it, with no
# flag but --proxy and --cafile. The parts of it, for row.sh and for the end-to-end tests:
#
#   zoo_far_ends, zoo_server, zoo_proxy KIND   what a call needs; the proxy is called "proxy"
#   zoo_call KIND [ENGINE.IO]                  first packet, call and signalling; files in $W
#   zoo_result KIND RUNGS FILE                 judges; writes the row

# In a network of its own any port can be listened on.
zoo_own_network() { # SCRIPT ARG...
	[ -z "${ZOO_NETWORK:-}" ] || return 0
	export ZOO_NETWORK=1
	if [ "$(id -u)" -eq 0 ]; then
		exec unshare -n bash -c 'ip link set lo up && exec bash "$@"' network "$@"
	fi
	exec unshare -rn bash -c 'ip link set lo up && echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start &&
		exec unshare -U --map-user=1000 --map-group=1000 bash "$@"' network "$@"
}

zoo_seconds() { # KIND: sets CALL_SECONDS
	CALL_SECONDS=$(zoo_more "$1" seconds "${ZOO_SECONDS:-15}")
}

# Sets LOAD_TARGET, TCP_TARGET, FIRST_TARGET, ENTRANCE.
zoo_far_ends() {
	credentials_make
	launch_fed load "$TOOLS/rtpload" --dest - --sink 127.0.0.1:0 --for "$CALL_SECONDS" --warmup 0.5 --drain 1.5 --quiet
	launch_fed first $PYTHON "$ZOO/first.py"
	launch tcp-echo $PYTHON "$TOP/tests/tools/signalling.py" serve
	LOAD_TARGET=$(ready load udp sink) FIRST_TARGET=$(ready first udp target) ENTRANCE=$(ready first udp entrance)
	TCP_TARGET=$(ready tcp-echo tcp echo)
	[ -n "$LOAD_TARGET" ] && [ -n "$ENTRANCE" ] && [ -n "$TCP_TARGET" ] || fail "the far ends did not start"
}

zoo_server() { # ARG...
	SERVER_PLAIN=1 SERVER_CLEAR=1 server_start culvertd --service "load=udp://$LOAD_TARGET" --service "first=udp://$FIRST_TARGET" --service "sig=tcp://$TCP_TARGET" "$@"
}

# What a proxy that wants credentials needs. Sets USER and LOGIN.
zoo_login() { # KIND
	USER= LOGIN=()
	case ${1%-abs} in
	squid-basic | squid-digest | apache-digest) USER=alice@ ;;
	squid-ntlm) USER=ZOO%5Calice@ ;;
	squid-negotiate) realm_start && realm_ticket ;;
	esac
	[ -n "$USER" ] || return 0
	echo secret >"$W/proxy-password"
	chmod 600 "$W/proxy-password"
	LOGIN=(--proxy-password-file "$W/proxy-password")
	[ "${1%-abs}" != squid-basic ] || LOGIN+=(--proxy-auth basic)
}

zoo_proxy() { # KIND: "proxy", in front of culvertd. Sets REACH, the arguments that lead through it
	local ports="443 $SERVER_PORT"
	[ "$(proxy_mode "$1")" != reverse ] || ports=$SERVER_PORT
	[ "$(_family_of "$1")" != front ] || ports=$SERVER_CLEAR_PORT
	zoo_login "$1"
	[ "$1" != storefwd-abs ] || STOREFWD_OPTIONS="--scan 20" # else a request is over before the next one is there, and none too many
	proxy_start proxy "$1" "$ports" "$W/server.crt"
	if [ "$(proxy_mode "$1")" = reverse ]; then
		REACH=(--server "https://localhost:${PROXY_PORT[proxy]}" --cafile "${PROXY_CA[proxy]}")
	else
		REACH=(--proxy "http://${USER}localhost:${PROXY_PORT[proxy]}" --cafile "$(zoo_trust "$1")" "${LOGIN[@]}")
	fi
	[ "$(proxy_mode "$1")" != absolute ] || REACH+=(--server-http "http://localhost:$SERVER_HTTP_PORT")
	case $1 in *-h1) REACH+=(--http 1.1) ;; esac
	[ -z "${ZOO_RUNG:-}" ] || REACH+=(--rung "$ZOO_RUNG")
}

zoo_trust() { # KIND: what is seen through it is signed by the proxy, or by the server itself
	[ "$(proxy_mode "$1")" = absolute ] && echo "$W/server.crt" || echo "${PROXY_CA[proxy]:-$W/server.crt}"
}

zoo_helper() { # ARG...
	helper_start helper "${REACH[@]}" --control "$W/control" -L udp://127.0.0.1:0=load -L "udp://$ENTRANCE=first" -L tcp://127.0.0.1:0=sig "$@"
}

zoo_status() { # FILE
	"$CULVERT" status --json --control "$W/control" >"$1" 2>>"$W/status.err"
}

zoo_call() { # KIND [ENGINE.IO]
	local load sig ok=1
	proxy_mark proxy
	tell first begin
	zoo_helper
	load=$(helper_udp helper load) sig=$(helper_tcp helper sig)
	tell load "$load call"
	launch signalling $PYTHON "$TOP/tests/tools/signalling.py" check "$sig" --bytes $((20000 * CALL_SECONDS)) --seconds "$CALL_SECONDS" --timeout 20
	told load call $((CALL_SECONDS + 20)) >"$W/call.json" || ok=
	finish signalling 25 || ok=
	zoo_status "$W/status.json" || ok=
	stop helper || echo "the helper ended with status $?" >"$W/complaint"
	await 5 _zoo_settled
	proxy_count proxy >"$W/counts"
	[ "${2:-0}" = 0 ] || zoo_engine_io "$1"
	[ -n "$ok" ]
}

# What a connection leaves in the log of its proxy comes when it ends.
_zoo_settled() {
	local before
	before=$(wc -c <"${PROXY_LOG[proxy]}")
	sleep 0.3
	[ "$(wc -c <"${PROXY_LOG[proxy]}")" = "$before" ]
}

zoo_result() { # KIND RUNGS FILE
	local cuts=0
	case $1 in
	nasty*) cuts=$(nasty_events proxy cut) ;;
	squid*) cuts=$(_log_lines proxy | grep -c '_TIMEDOUT/') ;;
	esac
	$PYTHON "$ZOO/report.py" row --dir "$W" --kind "$1" --mode "$(proxy_mode "$1")" --rungs "${ZOO_RUNG:-$2}" --cuts-made "$cuts" \
		--http "$(proxy_versions proxy)" --http-wanted "$(zoo_more "$1" http '')" --cuts-wanted "$(zoo_more "$1" cuts 0)" \
		--best-s "$(zoo_more "$1" best 5)" --may-lose "$(zoo_more "$1" lost 0)" --may-be-late "$(zoo_more "$1" late 2)" >"$3.new" &&
		mv "$3.new" "$3"
}

# engine.io polling through another proxy of that kind; $W/engineio.json.
zoo_engine_io() { # KIND
	local address port reach
	launch engineio $PYTHON "$ZOO/engineio_peer.py" serve --cert "$W/server.crt" --key "$W/server.key"
	address=$(ready engineio tcp engineio) || fail "no engine.io server"
	port=$(port_of "$address")
	proxy_start peer "$1" "$port" "$W/server.crt"
	if [ "$(proxy_mode "$1")" = reverse ]; then
		reach=(--server "localhost:${PROXY_PORT[peer]}" --cafile "${PROXY_CA[peer]}")
	else
		reach=(--server "localhost:$port" --proxy "http://127.0.0.1:${PROXY_PORT[peer]}" --cafile "${PROXY_CA[peer]:-$W/server.crt}")
	fi
	launch measure $PYTHON "$ZOO/engineio_peer.py" measure "${reach[@]}" --seconds "$CALL_SECONDS"
	finish measure $((CALL_SECONDS + 30)) && mv "$W/measure.out" "$W/engineio.json"
	proxy_stop peer
	stop engineio || :
	[ -s "$W/engineio.json" ] || echo "engine.io polling gave no result: $(tail -n 1 "$W/measure.err")" >"$W/complaint"
}
