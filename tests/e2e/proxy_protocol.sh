#!/usr/bin/env bash
# The PROXY protocol: HAProxy with both versions before TLS and HTTP, by hand what it does not do, whom the limits count.
# seconds: 90
if [ -z "${IN_NAMESPACE:-}" ]; then
	NO_LINK=1 IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
fi
. "$(dirname "$0")/e2e.sh"
SERVER_NAME=203.0.113.9 credentials_make
targets_start
for host in 9 10 11; do
	ip addr add 203.0.113.$host/32 dev lo || fail "no address"
done
# A website behind culvertd tells who asked it.
launch who $PYTHON "$PROXIES/who.py"
who=$(ready who http who) || fail "no website"
SOCKET=$W/http.sock
launch culvertd "$CULVERTD" --listen 127.0.0.1:0,proxy-protocol --listen-clear 127.0.0.1:0,proxy-protocol --listen-clear "unix:$SOCKET,proxy-protocol" \
	--listen 0.0.0.0:0,proxy-protocol --listen-http 127.0.0.1:0,proxy-protocol --trusted-proxies 203.0.113.10 --fallback "http://$who" \
	--cert "$W/server.crt" --key "$W/server.key" --token-file "$W/token" --admin "$W/culvertd.sock" --max-connections-per-address 4 \
	--service "udp=udp://$UDP_TARGET" --service "sig=tcp://$TCP_TARGET"
tls=$(ready culvertd https culvertd) clear=$(ready culvertd clear culvertd) sealed=$(ready culvertd http culvertd) || fail "no server"
all=$(port_of "$(ready culvertd https culvertd 2)")
expect culvertd 1 "server: listening on $tls, base /culvert, with the PROXY protocol"
status() {
	"$CULVERTD" status --json --admin "$W/culvertd.sock" >"$W/status.json" || fail "no status"
}

# ---- HAProxy: TLS passes through it; or ends there ----

ports=()
for _ in 1 2 3 4; do
	ports+=("$(free_port)")
done
cat "$W/server.crt" "$W/server.key" >"$W/both.pem"
cat >"$W/haproxy.cfg" <<-END
	defaults
		timeout connect 5s
		timeout client 60s
		timeout server 60s
	listen v1
		mode tcp
		bind 203.0.113.9:${ports[0]}
		server culvertd $tls send-proxy
	listen v2
		mode tcp
		bind 203.0.113.9:${ports[1]}
		server culvertd $tls send-proxy-v2 check-send-proxy check inter 200ms
	listen clear
		mode http
		option http-no-delay
		bind 203.0.113.9:${ports[2]} ssl crt $W/both.pem alpn h2,http/1.1
		server culvertd $clear send-proxy-v2
	listen path
		mode http
		bind 203.0.113.9:${ports[3]}
		server culvertd unix@$SOCKET send-proxy
END
launch haproxy haproxy -db -f "$W/haproxy.cfg"
for port in "${ports[@]}"; do
	await 10 eval "(exec 3<>/dev/tcp/203.0.113.9/$port) 2>/dev/null" || fail "HAProxy did not start: $(cat "$W/haproxy.err")"
done
for i in 0 1 2 3; do
	scheme=https
	[ $i -ne 3 ] || scheme=http
	said=$(curl -s -k -m 5 --interface 203.0.113.11 "$scheme://203.0.113.9:${ports[i]}/") || fail "nothing by HAProxy $i"
	[ "$said" = 203.0.113.11 ] || fail "HAProxy $i: asked by $said"
done
for i in 0 1 2; do
	SERVER_NAME=203.0.113.9 SERVER_PORT=${ports[i]} helper_echo helper-$i --connections 2 # of four that its address may have
	passes 15 || fail "HAProxy $i: nothing passes"
	signalling check "$SIG" --bytes 20000 --seconds 1 || fail "HAProxy $i: signalling"
	status
	client=$($PYTHON -c 'import json, sys; print(json.load(open(sys.argv[1]))["sessions"][0]["client"])' "$W/status.json")
	[ "${client%:*}" = 203.0.113.9 ] && [ "$(json "$W/status.json" state)" = ready ] || fail "HAProxy $i: the session is from $client"
	stop_expecting helper-$i 0
	await 10 eval 'status; [ "$($PYTHON -c "import json, sys; print(len(json.load(open(sys.argv[1]))[\"sessions\"]))" "$W/status.json")" = 0 ]' ||
		fail "the session stays"
done
expect culvertd 1 "session .* of tester begins, from 203.0.113.9:[0-9]"
! grep -q "does not begin with a PROXY" "$W/culvertd.err" || fail "HAProxy's checks are taken for strangers"

# ---- by hand ----

by_hand() { # WANT ARG...
	local want=$1 said
	shift
	said=$($PYTHON "$PROXIES/proxy_protocol.py" "$@" | tr '\n' ' ')
	[ "${said% }" = "$want" ] || fail "$*: $said, not $want"
}
client=200,203.0.113.77
for header in v1 v2 v2-values; do
	by_hand "$client $client" "$clear" header=$header get=/ get=/again
	by_hand "$client" "$clear" drip header=$header get=/
	by_hand "$client" "$tls" header=$header tls=/
	by_hand "$client" "$tls" drip header=$header tls=/
	by_hand "$client" "unix:$SOCKET" header=$header get=/
	by_hand "$client" "$sealed" header=$header get=/
	by_hand "$client" "$clear" header=$header flush get=/
done
by_hand "200,2001:db8::77" "$clear" header=v1-six get=/
# The proxy's own requests are believed about others, those of somebody unknown are not: not more than that it came from the proxy.
by_hand "200,192.0.2.99" "$clear" header=local get=/
for header in unspec unix unknown; do
	by_hand "200,127.0.0.1" "$clear" header=$header get=/
	by_hand "200,unknown" "unix:$SOCKET" header=$header get=/
done
for header in none garbage long short; do
	by_hand closed "$clear" header=$header get=/$header
done
by_hand closed "$tls" header=none tls=/
expect culvertd 2 "127.0.0.1:[0-9]*: closed: it does not begin with a PROXY protocol header"
expect culvertd 2 "127.0.0.1:[0-9]*: closed: its PROXY protocol header is too long"
launch silent $PYTHON "$PROXIES/proxy_protocol.py" "$clear" wait
launch partial $PYTHON "$PROXIES/proxy_protocol.py" "$clear" header=part wait

# ---- who may send one ----

curl -s -k -m 5 "https://203.0.113.9:$all/" >/dev/null && fail "anybody is let in"
expect culvertd 2 "203.0.113.9:[0-9]*: closed: a port with proxy-protocol is for this machine and for trusted-proxies only"
said=$(curl -s -k -m 5 --interface 203.0.113.10 --haproxy-protocol "https://203.0.113.9:$all/") || fail "a trusted proxy is not let in"

# ---- the limit counts clients, not the proxy ----

for i in 1 2 3 4 5; do
	launch held-$i $PYTHON "$PROXIES/proxy_protocol.py" "$clear" header=v1 get=/ wait
done
expect culvertd 5 "203.0.113.77:56324: closed: its address has 4 connections open, the most allowed"
by_hand "200,192.0.2.99" "$clear" header=local get=/
by_hand "200,2001:db8::77" "$clear" header=v1-six get=/
for i in 1 2 3 4 5; do
	stop held-$i 2>/dev/null
done
await 5 eval '$PYTHON "$PROXIES/proxy_protocol.py" "$clear" header=v1 get=/ | grep -q 200' || fail "connections that ended are counted"
status
[ "$(json "$W/status.json" counters.proxy_headers_failed)" -eq 5 ] || fail "headers that failed: $(json "$W/status.json" counters.proxy_headers_failed)"

for name in silent partial; do
	finish $name 12 || fail "$name: it stays"
	[ "$(cat "$W/$name.out")" = closed ] || fail "$name: $(cat "$W/$name.out")"
done
expect culvertd 2 "closed: no PROXY protocol header came within 10 s"
expect culvertd 2 "closed: the PROXY protocol header was not whole within 10 s"
stop_expecting culvertd 0
