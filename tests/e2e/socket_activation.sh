#!/usr/bin/env bash
# Sockets that systemd opens: handed over by systemd's own program, and by the shipped unit; what cannot be used.
# seconds: 60
if [ -z "${IN_NAMESPACE:-}" ]; then
	NO_LINK=1 IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
fi
. "$(dirname "$0")/e2e.sh"
credentials_make
targets_start
ip addr add 203.0.113.9/32 dev lo || fail "no address"
SOCKET=$W/http.sock
server=("$CULVERTD" --cert "$W/server.crt" --key "$W/server.key" --token-file "$W/token" --service "udp=udp://$UDP_TARGET"
	--service "sig=tcp://$TCP_TARGET")
clear=("$CULVERTD" --token-file "$W/token" --service "udp=udp://$UDP_TARGET")

# Hands over what it listens on when the first connection comes; culvertd is the same process then.
activated() { # NAME NAMES LISTEN... -- COMMAND...
	local name=$1 names=$2 args=()
	shift 2
	while [ "$1" != -- ]; do
		args+=(--listen="$1")
		shift
	done
	shift
	launch "$name" systemd-socket-activate "${args[@]}" ${names:+--fdname="$names"} "$@"
}
get() { # CURL-ARG...
	curl -s -k -m 10 "$@"
}
listening() {
	grep -q "Listening on" "$W/$1.err"
}

# ---- each kind ----

port=$(free_port) http=$(free_port) proxied=$(free_port)
activated all https:clear:http:clear-proxy-protocol "127.0.0.1:$port" "$SOCKET" "127.0.0.1:$http" "127.0.0.1:$proxied" -- "${server[@]}" --admin "$W/all.sock"
await 5 listening all || fail "systemd-socket-activate: $(cat "$W/all.err")"
! grep -q ready "$W/all.out" || fail "it is started before anybody comes"
[ "$(get "https://127.0.0.1:$port/healthz")" = ok ] || fail "the first connection is lost"
[ "$(ready all https culvertd)" = "127.0.0.1:$port" ] && [ "$(ready all clear culvertd)" = "unix:$SOCKET" ] || fail "ready: $(cat "$W/all.out")"
[ "$(grep -c ^ready "$W/all.out")" = 4 ] || fail "it opens others: $(cat "$W/all.out")"
[ "$(get --unix-socket "$SOCKET" http://here/healthz)" = ok ] || fail "nothing by the Unix socket"
[ "$(get "http://127.0.0.1:$http/healthz")" = ok ] || fail "nothing without TLS"
[ "$(get --haproxy-protocol "http://127.0.0.1:$proxied/healthz")" = ok ] || fail "nothing with the PROXY protocol"
[ -z "$(get "http://127.0.0.1:$proxied/healthz")" ] || fail "the PROXY protocol is not asked for"
SERVER_PORT=$port helper_echo helper
passes 15 || fail "nothing passes"
signalling check "$SIG" --bytes 20000 --seconds 1 || fail "signalling"
kill -HUP "${PID[all]}"
expect all 5 "were read again"
[ "$(get --unix-socket "$SOCKET" http://here/healthz)" = ok ] || fail "a reload ends the listeners"
passes 5 || fail "nothing passes after a reload"
stop_expecting helper 0
stop_expecting all 0
[ -S "$SOCKET" ] || fail "it removes the socket of systemd"
rm -f "$SOCKET"

# ---- a reload: what the sockets need must still be there ----

conf() { # LINE...
	printf 'token-file = "%s"\nadmin = none\nservice udp { target = "udp://%s" }\n' "$W/token" "$UDP_TARGET"
	printf '%s\n' "$@"
}
conf "cert = \"$W/server.crt\"" "key = \"$W/server.key\"" >"$W/reload.conf"
port=$(free_port)
activated reload https "127.0.0.1:$port" -- "$CULVERTD" -c "$W/reload.conf"
await 5 listening reload || fail "systemd-socket-activate: $(cat "$W/reload.err")"
[ "$(get "https://127.0.0.1:$port/healthz")" = ok ] || fail "nothing before the reload"
conf >"$W/reload.conf"
kill -HUP "${PID[reload]}"
expect reload 5 "nothing was changed: cert and key are gone, and listeners need them"
[ "$(get "https://127.0.0.1:$port/healthz")" = ok ] || fail "nothing after a reload without a certificate"
stop_expecting reload 0

# ---- beside listeners of its own; without a certificate ----

activated beside clear "$SOCKET" -- "${clear[@]}" --admin none --listen-clear 127.0.0.1:0
await 5 listening beside || fail "systemd-socket-activate: $(cat "$W/beside.err")"
[ "$(get --unix-socket "$SOCKET" http://here/healthz)" = ok ] || fail "nothing by the Unix socket"
kill -HUP "${PID[beside]}"
expect beside 5 "were read again"
at=$(ready beside clear culvertd 2) || fail "no listener of its own"
[ "$(get "http://$at/healthz")" = ok ] || fail "nothing by the listener of its own"
stop_expecting beside 0
rm -f "$SOCKET"

# ---- the unit as it is shipped: what it names, with its path ----

names=$(sed -n 's/^FileDescriptorName=//p' "$TOP/systemd/culvertd.socket")
path=$(sed -n 's/^ListenStream=//p' "$TOP/systemd/culvertd.socket")
mkdir -p "$(dirname "$path")" # /run is this test's own
activated unit "$names" "$path" -- "${clear[@]}" --admin none
await 5 listening unit || fail "systemd-socket-activate: $(cat "$W/unit.err")"
[ "$(get --unix-socket "$path" http://here/healthz)" = ok ] || fail "nothing by the unit's socket"
kill -HUP "${PID[unit]}"
expect unit 5 "were read again"
[ "$(get --unix-socket "$path" http://here/healthz)" = ok ] || fail "nothing by the unit's socket after a reload"
[ "$(ready unit clear culvertd)" = "unix:$path" ] || fail "ready: $(cat "$W/unit.out")"
stop_expecting unit 0
mkdir "$W/units"
cp "$TOP/systemd/culvertd.socket" "$W/units/"
sed "s,@SBINDIR@/culvertd,$CULVERTD,; s,%d,/etc,g" "$TOP/systemd/culvertd.service.in" >"$W/units/culvertd.service"
SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$W/units/culvertd.socket" >"$W/verify" 2>&1
! grep "culvertd.socket" "$W/verify" || fail "the unit: $(cat "$W/verify")"

# ---- what cannot be used ----

refuses() { # STATUS PATTERN NAMES LISTEN COMMAND...
	local name=refused-$((++n)) rc=0 names=$3 at=$4
	activated $name "$names" "$at" -- "${@:5}" --admin none
	await 5 listening $name || fail "systemd-socket-activate: $(cat "$W/$name.err")"
	case $at in
	/*) get --unix-socket "$at" http://here/ ;;
	*) echo x >"/dev/tcp/${at%:*}/${at##*:}" ;;
	esac 2>/dev/null
	finish $name 10 || rc=$?
	[ $rc -eq "$1" ] || fail "status $rc, not $1: $names: $(cat "$W/$name.err")"
	grep -q -E -- "$2" "$W/$name.err" || fail "no such message ($2): $(cat "$W/$name.err")"
	rm -f "$SOCKET"
}
n=0
refuses 2 "socket '' that systemd hands over is for must be told.*FileDescriptorName=https, http or clear" "" "$SOCKET" "${clear[@]}"
refuses 2 "socket 'culvertd.socket' that systemd hands over is for must be told" culvertd.socket "$SOCKET" "${clear[@]}"
refuses 2 "socket 'https' of systemd needs a certificate" https "127.0.0.1:$(free_port)" "${clear[@]}"
refuses 2 "socket 'clear' of systemd at 203.0.113.9:.* is not of this machine only" clear "203.0.113.9:$(free_port)" "${clear[@]}"

# By the protocol itself: what is for another process, no socket at all, one that does not listen, a datagram socket.
handed() { # KIND COMMAND...; INSTEAD=exec: in the place of the shell
	${INSTEAD:-} $PYTHON -c '
import os, socket, sys
kind = sys.argv[1]
pid = os.getpid() + (kind == "other")
if kind == "file":
    s = open("/dev/null")
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM)
    s.bind(("127.0.0.1", 0))
    if kind in ("listens", "other"):
        s.listen()
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(pid), LISTEN_FDS="1", LISTEN_FDNAMES="clear")
os.execv(sys.argv[2], sys.argv[2:])' "$@" --admin none
}
wrong() { # KIND STATUS PATTERN
	local rc=0
	handed "$1" "${clear[@]}" >"$W/handed" 2>&1 || rc=$?
	[ $rc -eq "$2" ] || fail "$1: status $rc: $(cat "$W/handed")"
	grep -q -E -- "$3" "$W/handed" || fail "$1: $(cat "$W/handed")"
}
wrong file 2 "it is no socket"
wrong datagram 2 "not a stream"
wrong open 2 "it does not listen"
wrong other 2 "no certificate" # nothing was handed to it, so that it would listen with TLS
launch listens bash -c "$(declare -f handed); PYTHON=$PYTHON INSTEAD=exec; handed listens \"\$@\"" handed "${clear[@]}"
at=$(ready listens clear culvertd) || fail "what listens is not taken: $(cat "$W/listens.err")"
[ "$(get "http://$at/healthz")" = ok ] || fail "nothing by what was handed over"
