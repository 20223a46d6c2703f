#!/usr/bin/env bash
# Cleartext listeners for reverse proxies: TCP, Unix sockets and their modes, what is left behind by others, who is not let in.
# seconds: 60
if [ -z "${IN_NAMESPACE:-}" ]; then
	NO_LINK=1 IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
fi
. "$(dirname "$0")/e2e.sh"
credentials_make
targets_start
ip addr add 203.0.113.9/32 dev lo || fail "no address"
ip addr add 203.0.113.10/32 dev lo || fail "no address"
mkdir "$W/run"
chmod 777 "$W/run"
SOCKET=$W/run/http.sock

# Without a certificate: TLS ends at the proxy.
clear_start() { # NAME ARG...
	local name=$1
	shift
	launch "$name" "$CULVERTD" --token-file "$W/token" --admin "$W/$name.sock" --service "udp=udp://$UDP_TARGET" "$@"
}
get() { # CURL-ARG...: status and body
	curl -s -m 5 -w '%{http_code} %{http_version} ' "$@"
}
ends() { # STATUS PATTERN ARG...: a server that does not come up
	local name=end-$((++n)) rc=0
	clear_start $name "${@:3}"
	finish $name 5 || rc=$?
	[ $rc -eq "$1" ] || fail "status $rc, not $1: ${*:3}: $(cat "$W/$name.err")"
	grep -q -E -- "$2" "$W/$name.err" || fail "no such message ($2): ${*:3}: $(cat "$W/$name.err")"
}
mode() { # FILE
	stat -c %a "$1"
}
n=0

# ---- TCP and Unix, both versions of HTTP ----

clear_start culvertd --listen-clear 127.0.0.1:0 --listen-clear "unix:$SOCKET" --listen-clear "[::1]:0"
at=$(ready culvertd clear culvertd) || fail "no server"
[ "$(ready culvertd clear culvertd 2)" = "unix:$SOCKET" ] || fail "no Unix socket"
six=$(ready culvertd clear culvertd 3) || fail "no listener on IPv6"
! grep -q "ready http" "$W/culvertd.out" || fail "it listens with TLS, too"
for version in --http1.1 --http2-prior-knowledge; do
	for where in "http://$at" "http://$six" "--unix-socket $SOCKET http://here"; do
		# shellcheck disable=SC2086
		said=$(get $version $where/healthz) || fail "$version $where: nothing"
		case $version$said in
		"--http1.1ok"*"200 1.1 " | "--http2-prior-knowledgeok"*"200 2 ") ;;
		*) fail "$version $where: $said" ;;
		esac
		# shellcheck disable=SC2086
		said=$(get $version $where/x -o /dev/null)
		[ "${said%% *}" = 404 ] || fail "$version $where: no cover: $said"
	done
done
grep -q "front 127.0.0.1:[0-9]*: GET /x" "$W/culvertd.err" || fail "the peer is not told"
grep -q "front unix: GET /x" "$W/culvertd.err" || fail "the peer of a Unix socket is not told"
"$CULVERTD" status --admin "$W/culvertd.sock" >"$W/status" || fail "no status"
grep -q "unix:$SOCKET without TLS, for reverse proxies" "$W/status" || fail "status: $(cat "$W/status")"
curl -s -k -m 5 "https://$at/" && fail "TLS is spoken"
expect culvertd 2 "sent TLS to a port of --listen-clear"

# ---- the file: its mode, who may use it, who replaces it ----

[ "$(mode "$SOCKET")" = 660 ] || fail "mode $(mode "$SOCKET"), not 660"
if [ "$(id -u)" -eq 0 ]; then
	AS=nobody launch nobody curl -s -m 5 --unix-socket "$SOCKET" http://here/healthz
	! finish nobody 10 || fail "nobody may use a socket of mode 660"
fi
ends 1 "cannot listen on unix:$SOCKET.*another program listens there" --listen-clear "unix:$SOCKET"
[ "$(get --unix-socket "$SOCKET" http://here/healthz -o /dev/null)" = "200 1.1 " ] || fail "another server took the socket"
kill -9 "${PID[culvertd]}"
stop culvertd 2>/dev/null
[ -S "$SOCKET" ] || fail "there should be a socket left behind"
clear_start first --listen-clear "unix:$SOCKET,mode=0666"
[ "$(ready first clear culvertd)" = "unix:$SOCKET" ] || fail "it does not replace what was left behind"
[ "$(mode "$SOCKET")" = 666 ] || fail "mode $(mode "$SOCKET"), not 666"
AS=nobody launch nobody curl -s -m 5 --unix-socket "$SOCKET" http://here/healthz
finish nobody 10 || fail "nobody may not use a socket of mode 666"
[ "$(cat "$W/nobody.out")" = ok ] || fail "nobody: $(cat "$W/nobody.out")"
kill -HUP "${PID[first]}"
expect first 5 "were read again"
[ "$(get --unix-socket "$SOCKET" http://here/healthz -o /dev/null)" = "200 1.1 " ] || fail "a reload ends the listener"
# Another one in its place stays when the first one ends.
mv "$SOCKET" "$SOCKET.old"
clear_start second --listen-clear "unix:$SOCKET,mode=600"
ready second clear culvertd >/dev/null || fail "no second server"
stop_expecting first 0
[ -S "$SOCKET" ] || fail "the socket of another server was removed"
[ "$(get --unix-socket "$SOCKET" http://here/healthz -o /dev/null)" = "200 1.1 " ] || fail "the second server does not answer"
stop_expecting second 0
[ ! -e "$SOCKET" ] || fail "the socket stays behind"

# TLS and sealed sessions by Unix sockets as well: for a proxy that passes connections on.
clear_start tls --listen "unix:$SOCKET" --listen-http "unix:$W/run/sealed.sock" --cert "$W/server.crt" --key "$W/server.key"
[ "$(ready tls https culvertd)" = "unix:$SOCKET" ] && [ "$(ready tls http culvertd)" = "unix:$W/run/sealed.sock" ] || fail "ready: $(cat "$W/tls.out")"
[ "$(get --cacert "$W/server.crt" --unix-socket "$SOCKET" https://localhost/healthz -o /dev/null)" = "200 2 " ] || fail "no TLS by a Unix socket"
[ "$(get --unix-socket "$W/run/sealed.sock" http://here/healthz -o /dev/null)" = "200 1.1 " ] || fail "no sealed sessions by a Unix socket"
stop_expecting tls 0
[ ! -e "$SOCKET" ] && [ ! -e "$W/run/sealed.sock" ] || fail "sockets stay behind"

# ---- what it does not do ----

echo precious >"$W/run/file"
ends 1 "unix:$W/run/file.*is no socket, and is left alone" --listen-clear "unix:$W/run/file"
[ "$(cat "$W/run/file")" = precious ] || fail "a file was overwritten"
ln -s "$W/run/nowhere" "$W/run/link"
ends 1 "unix:$W/run/link.*is no socket" --listen-clear "unix:$W/run/link"
ends 1 "unix:$W/none/x.*make its directory" --listen-clear "unix:$W/none/x"
ends 2 "listen-clear is without TLS.*trusted-proxies" --listen-clear 0.0.0.0:0
ends 2 "listen-clear is without TLS.*trusted-proxies" --listen-clear 203.0.113.9:0
ends 2 "listen-clear is without TLS.*trusted-proxies" --listen-clear "*:0"
ends 2 "listen-clear must be like" --listen-clear 8080
ends 2 "a Unix socket is unix:/PATH" --listen-clear unix:http.sock
ends 2 "a Unix socket is unix:/PATH" --listen-clear "unix:/$(printf 'x%.0s' {1..120})"
ends 2 "mode= is for Unix sockets" --listen-clear 127.0.0.1:0,mode=600
ends 2 "there may be ,proxy-protocol" --listen-clear "unix:$SOCKET,mode=rw"
ends 2 "there may be ,proxy-protocol" --listen-clear "unix:$SOCKET,group=www"
ends 2 "trusted-proxies are addresses" --listen-clear 127.0.0.1:0 --trusted-proxies example.org
ends 2 "trusted-proxies are addresses" --listen-clear 127.0.0.1:0 --trusted-proxies 10.0.0.0/33
ends 2 "forwarded-header must be auto" --listen-clear 127.0.0.1:0 --forwarded-header X-Real-IP
ends 2 "no certificate" --listen-clear 127.0.0.1:0 --listen 127.0.0.1:0
printf 'listen-clear = { "127.0.0.1:0" }\n\ntrusted-proxies = { "10.0.0.0/8", "ten" }\n' >"$W/bad.conf"
ends 2 "bad.conf:3: trusted-proxies are addresses" -c "$W/bad.conf"

# ---- from elsewhere: only who is trusted ----

clear_start all --listen-clear "*:0" --trusted-proxies 203.0.113.10 --listen-clear "unix:$SOCKET"
port=$(port_of "$(ready all clear culvertd)") || fail "no server on all addresses"
get "http://203.0.113.9:$port/healthz" && fail "anybody is let in"
expect all 2 "203.0.113.9:[0-9]*: closed: a port of --listen-clear is for this machine"
[ "$(get --interface 203.0.113.10 "http://203.0.113.9:$port/healthz" -o /dev/null)" = "200 1.1 " ] || fail "a trusted proxy is not let in"
[ "$(get "http://127.0.0.1:$port/healthz" -o /dev/null)" = "200 1.1 " ] || fail "this machine is not let in"
six=$(port_of "$(ready all clear culvertd 2)")
[ "$(get "http://[::1]:$six/healthz" -o /dev/null)" = "200 1.1 " ] || fail "this machine is not let in by IPv6"
stop_expecting all 0
