#!/usr/bin/env bash
# A server for sealed sessions only, on IPv6; behind a reverse proxy without TLS; restarted in mid-call, in order and by a kill.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
SERVER_PLAIN=1
credentials_make
targets_start
services=(--service "udp=udp://$UDP_TARGET" --service "sig=tcp://$TCP_TARGET")
helper_to() { # NAME URL ARG...
	helper_echo "$1" --server "$2" --cafile "$W/server.crt" "${@:3}"
}

# ---- nothing but --listen-http, and that on IPv6 ----

"$CULVERTD" gen-cert --host ::1 --cert "$W/six.crt" --key "$W/six.key" >"$W/six.out" 2>&1 || fail "gen-cert: $(cat "$W/six.out")"
launch six "$CULVERTD" --listen-http "[::1]:0" --cert "$W/six.crt" --key "$W/six.key" --token-file "$W/token" --admin "$W/six.sock" "${services[@]}"
at=$(ready six http culvertd) || fail "no server on IPv6"
! grep -q "ready https" "$W/six.out" || fail "it listens with TLS, too"
helper_echo by-six --server "http://[::1]:$(port_of "$at")" --cafile "$W/six.crt"
passes 15 || fail "IPv6: nothing passes"
signalling check "$SIG" --bytes 20000 --seconds 1 || fail "IPv6: signalling"
stop_expecting by-six 0
stop_expecting six 0

# ---- behind nginx, which speaks HTTP/1.0 to it and holds bodies, as it does unless told otherwise ----

server_start culvertd "${services[@]}"
port=$(free_port)
cat >"$W/nginx.conf" <<-END
	daemon off; pid $W/nginx.pid; error_log $W/nginx.log;
	events { worker_connections 256; }
	http {
		access_log off;
		client_body_temp_path $W/b; proxy_temp_path $W/p; fastcgi_temp_path $W/f; uwsgi_temp_path $W/u; scgi_temp_path $W/s;
		server { listen 127.0.0.1:$port; location / { proxy_pass http://127.0.0.1:$SERVER_HTTP_PORT; } }
	}
END
launch nginx nginx -c "$W/nginx.conf" -e "$W/nginx.log"
await 10 eval "(exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null" || fail "nginx did not start"
helper_to by-nginx "http://localhost:$port"
passes 20 || fail "nginx: nothing passes"
signalling check "$SIG" --bytes 100000 --seconds 2 || fail "nginx: signalling"
stop_expecting by-nginx 0

# ---- restarts ----

for rung in poll duplex; do
	helper_to $rung "http://localhost:$SERVER_HTTP_PORT" --rung $rung
	passes 15 || fail "$rung: nothing passes"
	for signal in TERM KILL; do
		exec 5<>"/dev/tcp/127.0.0.1/$(port_of "$SIG")" || fail "cannot connect to the TCP port"
		echo hello >&5
		read -r -t 5 line <&5 && [ "$line" = hello ] || fail "no echo over TCP"
		stop culvertd $signal 2>/dev/null
		await 5 eval '! datagrams probe "$UDP" --seconds 0.2 2>/dev/null' || fail "datagrams pass without a server"
		server_start culvertd "${services[@]}"
		began=${EPOCHREALTIME/./}
		passes 10 || fail "$rung: after $signal: nothing passes any more on the same local port"
		note "$rung, $signal: passes again after $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
		read -r -t 10 line <&5
		[ $? -le 128 ] || fail "$rung: after $signal: the old TCP connection hangs"
		exec 5>&-
		signalling check "$SIG" --bytes 1000 || fail "$rung: after $signal: no TCP"
	done
	expect $rung 1 "connection to .* reset: "
	stop_expecting $rung 0
done
stop_expecting culvertd 0
