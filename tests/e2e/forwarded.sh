#!/usr/bin/env bash
# Who asked, behind nginx and HAProxy: X-Forwarded-For and Forwarded, forged by clients or not; whom limits count; a reload.
# seconds: 90
if [ -z "${IN_NAMESPACE:-}" ]; then
	NO_LINK=1 IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
fi
. "$(dirname "$0")/e2e.sh"
SERVER_NAME=203.0.113.9 credentials_make
targets_start
for host in 9 10 11 12; do
	ip addr add 203.0.113.$host/32 dev lo || fail "no address"
done
# A website behind culvertd tells who asked it.
launch who $PYTHON "$PROXIES/who.py"
who=$(ready who http who) || fail "no website"
SOCKET=$W/http.sock
cat >"$W/culvertd.conf" <<-END
	listen-clear = { "127.0.0.1:0", "unix:$SOCKET,mode=0666" }
	listen = { "203.0.113.9:0" }
	cert = "$W/server.crt"
	key = "$W/server.key"
	token-file = "$W/token"
	fallback = "http://$who"
	max-connections-per-address = 6
	service udp { target = "udp://$UDP_TARGET" }
	service sig { target = "tcp://$TCP_TARGET" }
END
launch culvertd "$CULVERTD" -c "$W/culvertd.conf" --admin "$W/culvertd.sock"
clear=$(ready culvertd clear culvertd) tls=$(ready culvertd https culvertd) || fail "no server"
ports=()
for _ in 1 2 3 4 5 6; do
	ports+=("$(free_port)")
done

# ---- the web servers: nginx adds to what clients say, or replaces it; HAProxy adds a line of its own ----

cat >"$W/nginx.conf" <<-END
	daemon off; pid $W/nginx.pid; error_log $W/nginx.log;
	events { worker_connections 256; }
	http {
		access_log off;
		client_body_temp_path $W/b; proxy_temp_path $W/p; fastcgi_temp_path $W/f; uwsgi_temp_path $W/u; scgi_temp_path $W/s;
		ssl_certificate $W/server.crt; ssl_certificate_key $W/server.key;
		proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off; client_max_body_size 0;
		upstream culvertd { server $clear; keepalive 4; }
		upstream culvertd_unix { server unix:$SOCKET; keepalive 4; }
		proxy_set_header Connection "";
		server { listen 203.0.113.9:${ports[0]} ssl http2; location / { proxy_pass http://culvertd;
			proxy_set_header Connection ""; proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for; } }
		server { listen 203.0.113.9:${ports[1]} ssl http2; location / { proxy_pass http://culvertd_unix;
			proxy_set_header Connection ""; proxy_set_header X-Forwarded-For \$remote_addr; } }
		server { listen 203.0.113.9:${ports[2]} ssl; location / { proxy_pass https://$tls;
			proxy_set_header Connection ""; proxy_set_header X-Forwarded-For \$remote_addr; } }
	}
END
cat "$W/server.crt" "$W/server.key" >"$W/both.pem"
cat >"$W/haproxy.cfg" <<-END
	global
		nbthread 1
	defaults
		mode http
		option http-no-delay
		option abortonclose
		timeout connect 5s
		timeout client 60s
		timeout server 60s
	listen adds
		bind 203.0.113.9:${ports[3]} ssl crt $W/both.pem alpn h2,http/1.1
		option forwardfor
		server culvertd $clear
	listen forwarded
		bind 203.0.113.9:${ports[4]} ssl crt $W/both.pem alpn h2,http/1.1
		http-request add-header Forwarded for=%[src]:%[src_port];proto=https
		http-request del-header X-Forwarded-For
		server culvertd unix@$SOCKET
	listen h2c
		bind 203.0.113.9:${ports[5]} ssl crt $W/both.pem alpn h2,http/1.1
		option forwardfor
		http-reuse always
		server culvertd $clear proto h2
END
launch nginx nginx -c "$W/nginx.conf" -e "$W/nginx.log"
launch haproxy haproxy -db -f "$W/haproxy.cfg"
for port in "${ports[@]}"; do
	await 10 eval "(exec 3<>/dev/tcp/203.0.113.9/$port) 2>/dev/null" || fail "no proxy: $(cat "$W"/nginx.err "$W/haproxy.err")"
done

asks() { # WANT FROM PORT CURL-ARG...
	local said
	said=$(curl -s -k -m 5 --interface "$2" "https://203.0.113.9:$3/" "${@:4}") || fail "$*: nothing"
	[ "$said" = "$1" ] || fail "$*: asked by $said"
}
for version in --http1.1 --http2; do
	for i in 0 1 3 4 5; do
		asks 203.0.113.11 203.0.113.11 "${ports[i]}" $version
		asks 203.0.113.12 203.0.113.12 "${ports[i]}" $version # perhaps by the same connection
		# Whoever is forged: what the proxy itself saw counts.
		for forged in 198.51.100.1 "198.51.100.1, 127.0.0.1" 127.0.0.1 garbage "" '"' unknown "198.51.100.1," "a, b, c"; do
			asks 203.0.113.11 203.0.113.11 "${ports[i]}" $version -H "X-Forwarded-For: $forged"
		done
		case $i in 4) ;; *) asks 203.0.113.11 203.0.113.11 "${ports[i]}" $version -H "Forwarded: for=198.51.100.1" ;; esac
	done
	for forged in for=198.51.100.1 'for="198.51.100.1' 'for=\' 'for="a\"b' 'for="[2001:db8::7' "for=198.51.100.1;" "," ";;" "="; do
		asks 203.0.113.11 203.0.113.11 "${ports[4]}" $version -H "Forwarded: $forged"
	done
done
# Who is not trusted cannot say anything about others; nor does a header that should not be there.
asks 203.0.113.9 203.0.113.11 "${ports[2]}"
asks 203.0.113.11 203.0.113.11 "$(port_of "$tls")" -H "X-Forwarded-For: 198.51.100.1" -H "Forwarded: for=198.51.100.1"

# Clients at the same time behind HTTP/2: each is told from the others.
for n in 1 2 3 4 5 6 7 8; do
	launch turn-$n curl -s -k -m 10 --interface 203.0.113.$((11 + n % 2)) "https://203.0.113.9:${ports[5]}/"
done
for n in 1 2 3 4 5 6 7 8; do
	finish turn-$n 10 || fail "turn $n: nothing"
	[ "$(cat "$W/turn-$n.out")" = 203.0.113.$((11 + n % 2)) ] || fail "turn $n: asked by $(cat "$W/turn-$n.out")"
done

# ---- a session: its client in log and status ----

status() {
	"$CULVERTD" status --json --admin "$W/culvertd.sock" >"$W/status.json" || fail "no status"
}
client() {
	status
	$PYTHON -c 'import json, sys; print(*[s["client"] for s in json.load(open(sys.argv[1]))["sessions"]])' "$W/status.json"
}
for i in 0 3 4; do
	SERVER_NAME=203.0.113.9 SERVER_PORT=${ports[i]} helper_echo helper-$i --connections 2
	passes 15 || fail "proxy $i: nothing passes"
	signalling check "$SIG" --bytes 20000 --seconds 1 || fail "proxy $i: signalling"
	said=$(client)
	[ "${said%:*}" = 203.0.113.9 ] || fail "proxy $i: the session is from $said"
	stop_expecting helper-$i 0
	await 10 eval '[ -z "$(client)" ]' || fail "the session stays"
done
expect culvertd 1 "session .* of tester begins, from 203.0.113.9$"
"$CULVERTD" status --admin "$W/culvertd.sock" >"$W/status" || fail "no status"

# ---- requests at a time: of one client behind proxies six, twelve of helpers ----

hold() { # NAME PORT: a request whose answer does not come
	launch $1 curl -s -k -m 60 --interface 203.0.113.9 -o /dev/null "https://203.0.113.9:$2/hold"
}
full() { # FROM PORT: is it turned away?
	[ "$(curl -s -k -m 2 --interface "$1" -o /dev/null -w '%{http_code}' "https://203.0.113.9:$2/x")" = 503 ]
}
kill "${PID[who]}"
stop who 2>/dev/null
launch hole $PYTHON -c '
import socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
held = []
while True:
    held.append(s.accept())' "$(port_of "$who")"
await 5 answers "$(port_of "$who")" || fail "no website that says nothing"
for i in 3 5; do
	status
	before=$(json "$W/status.json" connections)
	for n in 1 2 3 4 5 6; do
		hold held-$n "${ports[i]}"
	done
	await 10 eval 'status; [ "$(json "$W/status.json" website.in_flight)" = 6 ]' || fail "proxy $i: not all are held"
	more=$(($(json "$W/status.json" connections) - before))
	note "proxy $i: six requests at a time take $more more connections"
	[ $i -ne 5 ] || check $more "<" 3 "proxy $i: HTTP/2 shares connections"
	full 203.0.113.9 "${ports[i]}" || fail "proxy $i: a client may have any number of requests"
	expect culvertd 2 "203.0.113.9: a request was answered 503: this client behind a proxy has as many at a time"
	! full 203.0.113.12 "${ports[i]}" || fail "proxy $i: others suffer"
	status
	[ "$(json "$W/status.json" counters.clients_refused)" -ge 1 ] || fail "not counted"
	# A helper there still gets through, for it can say who it is.
	SERVER_NAME=203.0.113.9 SERVER_PORT=${ports[i]} helper_echo full-$i --connections 3
	passes 15 || fail "proxy $i: a helper beside a crowd: nothing passes"
	full 203.0.113.9 "${ports[i]}" || fail "proxy $i: nobody is turned away any more"
	stop_expecting full-$i 0
	for n in 1 2 3 4 5 6; do
		stop held-$n 2>/dev/null
	done
	await 10 eval '! full 203.0.113.9 "${ports[i]}"' || fail "proxy $i: requests that ended are counted"
done
stop hole 2>/dev/null
launch who2 $PYTHON "$PROXIES/who.py"
who=$(ready who2 http who) || fail "no website"

# ---- a reload: the web server that speaks TLS to it is trusted from now on, and Forwarded is what counts ----

sed -i "s,^fallback.*,fallback = \"http://$who\"," "$W/culvertd.conf"
cp "$W/culvertd.conf" "$W/good.conf"
printf 'trusted-proxies = { "203.0.113.8/31", "nonsense" }\n' >>"$W/culvertd.conf"
kill -HUP "${PID[culvertd]}"
expect culvertd 5 "nothing was changed: .*culvertd.conf:[0-9]*: trusted-proxies are addresses"
{ cat "$W/good.conf"; printf 'trusted-proxies = { "203.0.113.8/31" }\n'; } >"$W/culvertd.conf"
kill -HUP "${PID[culvertd]}"
expect culvertd 5 "were read again"
asks 203.0.113.11 203.0.113.11 "${ports[2]}"
asks 203.0.113.11 203.0.113.11 "$(port_of "$tls")" -H "X-Forwarded-For: 198.51.100.1"
asks 198.51.100.1 203.0.113.9 "$(port_of "$tls")" -H "X-Forwarded-For: 198.51.100.1"
asks 198.51.100.1 203.0.113.9 "$(port_of "$tls")" -H "X-Forwarded-For: 192.0.2.1, 198.51.100.1, 203.0.113.8"
asks 2001:db8::7 203.0.113.9 "$(port_of "$tls")" -H 'Forwarded: for=192.0.2.1, for="[2001:db8::7]:99";by=_me'
asks 198.51.100.1 203.0.113.9 "$(port_of "$tls")" -H "X-Forwarded-For: 198.51.100.1" -H "Forwarded: for=198.51.100.2"
expect culvertd 2 "sent both X-Forwarded-For and Forwarded"
for which in forwarded:198.51.100.2 x-forwarded-for:198.51.100.1 none:203.0.113.9; do
	{ cat "$W/good.conf"; printf 'trusted-proxies = { "203.0.113.8/31" }\nforwarded-header = %s\n' "${which%%:*}"; } >"$W/culvertd.conf"
	kill -HUP "${PID[culvertd]}"
	await 5 eval '[ "$(curl -s -k -m 5 --interface 203.0.113.9 -H "X-Forwarded-For: 198.51.100.1" -H "Forwarded: for=198.51.100.2" "https://$tls/")" = "${which#*:}" ]' ||
		fail "${which%%:*} is not what counts"
done
stop_expecting culvertd 0
