# Sourced after e2e.sh, in a namespace of its own (tests/lib/namespace.sh): a browser whose only way out is a proxy, and what it calls.
#
#   near 10.77.0.1 --- 10.77.0.2, the proxy, 10.78.0.2 --- 10.78.0.1 far
#
# Nothing is forwarded in the middle. far has Janus (127.0.0.1:8188, wss 8989), coturn (127.0.0.1:3478 by UDP and TCP, turns 5349), the page
# (127.0.0.1:8080) and culvertd (443, cleartext 80).
#
#   turn_far                        all of far
#   turn_near NAME KIND [NETWORK]   another browser's namespace, with a proxy of its own: near is 77
#   turn_control NAME KIND          what the page reaches by itself, against turn_expected
#   turn_helper NAME ARG...         the helper, with the ports that pages know
#   turn_call NAME VERB ARG...      starts a call; its lines come to $W/NAME.out
#   turn_good NAME                  asserts it

RTC=$TOP/tests/web/turn
FAR=10.78.0.1

# kind                 turns:  wss:
TURN_ROWS='
squid                  works   works
squid-bump             fails   fails
storefwd               fails   fails
storefwd-abs           fails   fails
mitmproxy              works   works
nasty                  fails   fails
nasty-tunnel           works   works
'

turn_expected() { # KIND N
	awk -v k="$1" -v n="$2" '$1 == k { print $n }' <<<"$TURN_ROWS"
}

_wire() { # NAMESPACE INTERFACE ADDRESS HERE ADDRESS-HERE
	ip netns add "$1" && ip link add "$4" type veth peer name "$2" && ip link set "$2" netns "$1" || return
	ip address add "$5/24" dev "$4" && ip link set "$4" up && ip -n "$1" link set lo up && ip -n "$1" address add "$3/24" dev "$2" && ip -n "$1" link set "$2" up
}

_in() { # NAMESPACE COMMAND...
	ip netns exec "$@"
}

_far_answers() { # PORT
	_in far bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0"' "$1" 2>/dev/null
}

_far_janus() {
	local lib
	lib=$(echo /usr/lib/*/janus)
	mkdir -p "$W/janus"
	sed "s|@DIR@|$W/janus|; s|@LIB@|$lib|" "$TOP/tests/web/servers/janus.jcfg" >"$W/janus/janus.jcfg"
	cp "$TOP/tests/web/servers/janus.plugin.videoroom.jcfg" "$W/janus/"
	cat >"$W/janus/janus.transport.websockets.jcfg" <<-CONF
		general: { json = "compact"; ws = true; ws_ip = "127.0.0.1"; ws_port = 8188; wss = true; wss_ip = "$FAR"; wss_port = 8989 }
		admin: { admin_ws = false }
		certificates: { cert_pem = "$W/server.crt"; cert_key = "$W/server.key" }
	CONF
	IN=far launch janus janus -F "$W/janus" -C "$W/janus/janus.jcfg" -o
}

_far_coturn() {
	mkdir -p "$W/turn"
	IN=far launch coturn turnserver -n --listening-ip=127.0.0.1 --listening-ip=$FAR --listening-port=3478 --tls-listening-port=5349 --relay-ip=$FAR --lt-cred-mech \
		--user=user:secret --realm=example.org --cert="$W/server.crt" --pkey="$W/server.key" --no-dtls --no-cli --no-multicast-peers --log-file=stdout \
		--pidfile="$W/turn/pid" --userdb="$W/turn/db" --min-port=49152 --max-port=49352
}

turn_far() {
	local each
	_wire far far0 $FAR far1 10.78.0.2 || fail "no network"
	echo 0 >/proc/sys/net/ipv4/ip_forward
	SERVER_NAME=$FAR
	credentials_make
	_far_janus
	_far_coturn
	IN=far launch site $PYTHON "$TOP/tests/web/website.py" --root "$RTC" --listen 127.0.0.1:8080
	for each in 8188 3478 8080; do
		await 15 _far_answers $each || fail "nothing at port $each: $(tail -n 5 "$W/janus.err" "$W/coturn.out" "$W/site.err")"
	done
	cat >"$W/culvertd.conf" <<-CONF
		service turn { target = "udp://127.0.0.1:3478" kind = turn }
		service turn-tcp { target = "tcp://127.0.0.1:3478" }
		service janus { target = "ws://127.0.0.1:8188/" }
		service web { target = "tcp://127.0.0.1:8080" }
	CONF
	SERVER_PORT=443 SERVER_HTTP_PORT=80
	IN=far SERVER_HOST=$FAR SERVER_PLAIN=1 server_start culvertd -c "$W/culvertd.conf"
}

# Sets TURN_TRUST, what the browser is to trust, which a company's does.
_shown() { # NAME PORT
	local file=$W/$1-$2.crt
	openssl s_client -proxy "$PROXY_AT_HOST:${PROXY_PORT[$1]}" -connect "$FAR:$2" </dev/null 2>/dev/null | openssl x509 -out "$file" 2>/dev/null && TURN_TRUST+=(--trust "$file")
}

turn_near() { # NAME KIND [NETWORK]
	local network=${3:-77} each
	_wire "$1" near0 "10.$network.0.1" "$1" "10.$network.0.2" || fail "no network"
	PROXY_AT_HOST=10.$network.0.2
	PROXY_LISTEN=$PROXY_AT_HOST:0 proxy_start "proxy-$1" "$2" "443 5349 8989" "$W/server.crt"
	TURN_PROXY=http://$PROXY_AT_HOST:${PROXY_PORT[proxy-$1]} TURN_CA=${PROXY_CA[proxy-$1]:-$W/server.crt} TURN_TRUST=(--trust "$W/server.crt")
	[ -z "${PROXY_CA[proxy-$1]:-}" ] || for each in 443 5349 8989; do _shown "proxy-$1" $each || :; done
	case $2 in *-abs) TURN_CA=$W/server.crt ;; esac # sealed: it is the server itself that shows one
	case $2 in storefwd*) TURN_BROWSER=() ;; *) TURN_BROWSER=(--proxy "$TURN_PROXY") ;; esac # of its two connections a browser's own errands would take one
	! _in "$1" ping -c 1 -W 1 $FAR >/dev/null 2>&1 || fail "there is a way around the proxy"
}

_browser() { # NAME NEAR ARG...
	local name=$1 near=$2
	shift 2
	IN=$near launch "$name" $PYTHON "$RTC/call.py" "$@" --profile "$W/$name.profile" "${TURN_TRUST[@]}"
}

turn_control() { # NAME KIND
	local each n=1
	_browser "control-$1" "$1" control --proxy "$TURN_PROXY" --turns $FAR:5349 --wss wss://$FAR:8989/
	finish "control-$1" 60 || fail "no control: $(tail -n 5 "$W/control-$1.err")"
	note "$2, without Culvert: $(cat "$W/control-$1.out")"
	for each in turns wss; do
		n=$((n + 1))
		[ "$(json "$W/control-$1.out" $each)" = "$(turn_expected "$2" $n)" ] || fail "$each: through $2 $(json "$W/control-$1.out" $each), not as expected"
	done
}

turn_helper() { # NAME ARG...
	local near=$1
	shift
	IN=$near helper_start "helper-$near" --proxy "$TURN_PROXY" --cafile "$TURN_CA" --server-http "http://$FAR:80" --control "$W/helper-$near.sock" "$@" \
		-L udp://127.0.0.1:3478=turn -L tcp://127.0.0.1:3478=turn-tcp -L ws://127.0.0.1:8188=janus -L tcp://127.0.0.1:8080=web --origins http://127.0.0.1:8080
	expect "helper-$near" 20 "connected to .* by "
}

turn_call() { # NAME VERB ARG...
	_browser "call-$1" "$1" "${@:2}" "${TURN_BROWSER[@]}" --page http://127.0.0.1:8080/call.html --signalling ws://127.0.0.1:8188/ \
		--turn "turn:127.0.0.1:3478?transport=udp" --turn "turn:127.0.0.1:3478?transport=tcp"
}

# Both ways, audio and video, through the helper, all the time.
turn_good() { # NAME
	finish "call-$1" "${2:-150}" || fail "no call: $(tail -n 1 "$W/call-$1.out"; tail -n 5 "$W/call-$1.err")"
	tail -n 1 "$W/call-$1.out" >&2
	$PYTHON "$RTC/good.py" "$W/call-$1.out" "${GOOD:-}" || fail "the call is not as it should be"
}
