# Sourced by cell.sh: what carries the load of a cell, Culvert and its peers. Each is started by a function system_NAME and sets
#   ENTRANCE, SINK    where the load goes in, in the namespace near, and where it comes out, in far (ADDR:PORT)
#   FILE              where a download is fetched, in near: through it where it carries TCP, else beside it on a connection of its own
#   PIDS              its programs, with commas
#   LOAD_ARGUMENTS    what rtpload must know of it

# Options that make Culvert use one connection, and leave its sockets as they are.
: "${CULVERT_SINGLE_NEAR:=--carriers 1 --redundancy never}" "${CULVERT_SINGLE_FAR:=--redundancy never}"
: "${CULVERT_UNTUNED_NEAR:=--sparse-tuning=off}" "${CULVERT_UNTUNED_FAR:=--sparse-tuning=off}"

NEAR=10.77.0.1 FAR=10.77.0.2
SINK=$FAR:5000 FILE=$FAR:5001 LOAD_ARGUMENTS=() PIDS=

_listens() { # NAMESPACE t|u PORT
	ip netns exec "$1" ss -Hln"$2" "sport = :$3" | grep -q .
}

system_raw() { # UDP without any tunnel
	ENTRANCE=$SINK
}

# TURN over TLS over TCP, one allocation, a channel for each call.
system_coturn() {
	IN=far launch turnserver turnserver -n --no-cli --lt-cred-mech -u bench:bench -r bench.test --listening-ip $FAR --relay-ip $FAR \
		--listening-port 3478 --tls-listening-port 3479 --alt-listening-port 0 --alt-tls-listening-port 0 --no-dtls \
		--cert "$W/server.crt" --pkey "$W/server.key" --no-stdout-log --log-file "$W/turn.log" --simple-log \
		--pidfile "$W/turn.pid" --userdb "$W/turn.db"
	await 15 _listens far t 3479 || fail "coturn does not listen"
	IN=near launch turnclient "$TOOLS/turnclient" --server $FAR:3479 --peer $SINK --local 127.0.0.1:5100 --ports "$CALLS"
	ENTRANCE=$(ready turnclient udp turn) || fail "no TURN allocation"
	[ "$CALLS" -eq 1 ] || LOAD_ARGUMENTS=(--port-each)
	PIDS=${PID[turnclient]},${PID[turnserver]}
}

# OpenVPN over TCP; the load goes to the other end's address within.
system_openvpn() {
	local print common
	print=$(openssl x509 -in "$W/server.crt" -noout -fingerprint -sha256)
	common=(--dev ovpn --dev-type tun --cert "$W/server.crt" --key "$W/server.key" --peer-fingerprint "${print#*=}" --data-ciphers AES-128-GCM
		--data-ciphers-fallback AES-128-GCM --socket-flags TCP_NODELAY --txqueuelen 1000 --verb 3 --keepalive 10 60 --disable-dco)
	IN=far launch openvpn-far openvpn --proto tcp-server --lport 1194 --tls-server --dh none --ifconfig 10.89.0.2 10.89.0.1 "${common[@]}"
	await 15 _listens far t 1194 || fail "OpenVPN does not listen"
	IN=near launch openvpn-near openvpn --proto tcp-client --remote $FAR 1194 --tls-client --ifconfig 10.89.0.1 10.89.0.2 "${common[@]}"
	for end in far near; do
		await 20 grep -q "Initialization Sequence Completed" "$W/openvpn-$end.out" || fail "OpenVPN ($end) did not connect"
	done
	SINK=10.89.0.2:5000 FILE=10.89.0.2:5001
	ENTRANCE=$SINK PIDS=${PID[openvpn-near]},${PID[openvpn-far]}
}

# Length, flow and datagram over one TLS connection: what any such tunnel costs at least.
system_tls() {
	IN=far launch tls-far "$TOOLS/tlspipe" far --tls $FAR:7000 --cert "$W/server.crt" --key "$W/server.key" --udp $SINK
	ready tls-far tls far >/dev/null || fail "tlspipe does not listen"
	IN=near launch tls-near "$TOOLS/tlspipe" near --tls $FAR:7000 --udp 127.0.0.1:5100
	ENTRANCE=$(ready tls-near udp near) || fail "tlspipe did not connect"
	PIDS=${PID[tls-near]},${PID[tls-far]}
}

# nghttpx in front of culvertd: HTTP/2 on both its sides, with the small windows that it has by default. On that side of the link.
_nghttpx() { # NAMESPACE ADDRESS PORT
	"$CULVERTD" gen-cert --host "$2" --cert "$W/nghttpx.crt" --key "$W/nghttpx.key" >/dev/null 2>&1 || fail "culvertd gen-cert"
	IN=$1 launch nghttpx nghttpx --conf=/dev/null --workers=1 --frontend="$2,$3" --backend="$FAR,4433;;proto=h2;tls;sni=localhost" \
		--cacert="$W/server.crt" --accesslog-file=/dev/null "$W/nghttpx.key" "$W/nghttpx.crt"
	await 15 _listens "$1" t "$3" || fail "nghttpx does not listen"
}

# Culvert on a rung, duplex-h2 by HTTP/2; what comes behind a "+": single (one connection, nothing twice), untuned (sockets left as they are),
# cubic (the server uses it), squid-near, squid-far (through a Squid on that side of the link), nghttpx-near, nghttpx-far (through this reverse proxy there).
system_culvert() { # RUNG VARIANT...
	local rung=${1%-h2} variant helper=() server=() SERVER_HOST=$FAR SERVER_PORT=4433 at=$FAR:4433
	[ "$rung" = "$1" ] && helper+=(--http 1.1) || helper+=(--http 2)
	shift
	for variant; do
		case $variant in
		single) helper+=($CULVERT_SINGLE_NEAR) server+=($CULVERT_SINGLE_FAR) ;;
		untuned) helper+=($CULVERT_UNTUNED_NEAR) server+=($CULVERT_UNTUNED_FAR) ;;
		squid-near) IN=near PROXY_LISTEN=$NEAR:0 proxy_start proxy squid 4433 && helper+=(--proxy "http://$NEAR:${PROXY_PORT[proxy]}") ;;
		squid-far) IN=far PROXY_LISTEN=$FAR:0 proxy_start proxy squid 4433 && helper+=(--proxy "http://$FAR:${PROXY_PORT[proxy]}") ;;
		cubic) server+=(--congestion cubic) ;;
		nghttpx-near) _nghttpx near $NEAR 4434 && at=$NEAR:4434 && helper+=(--cafile "$W/nghttpx.crt") ;;
		nghttpx-far) _nghttpx far $FAR 4434 && at=$FAR:4434 && helper+=(--cafile "$W/nghttpx.crt") ;;
		*) fail "no such variant: $variant" ;;
		esac
	done
	IN=far server_start culvertd --service "load=udp://$SINK" --service "file=tcp://$FILE" "${server[@]}"
	IN=near helper_start helper --server "https://$at" --rung "$rung" --control "$W/control" \
		-L udp://127.0.0.1:0=load -L tcp://127.0.0.1:0=file "${helper[@]}"
	ENTRANCE=$(helper_udp helper load) FILE=$(helper_tcp helper file)
	expect helper 20 "connected to"
	PIDS=${PID[helper]},${PID[culvertd]}
}

system_start() { # NAME
	local parts
	IFS=+ read -ra parts <<<"$1"
	case ${parts[0]} in
	raw | coturn | openvpn | tls) "system_${parts[0]}" ;;
	*) system_culvert "${parts[@]}" ;;
	esac
}
