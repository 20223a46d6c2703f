#!/usr/bin/env bash
# Secrets stay where they are: no other process of the user looks into the daemons; no token, password or ticket in logs, ps, environ, status, state, reports.
# seconds: 120
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/kerberos.sh"

PASSWORD='Gh3im-Niss+8x/q' # with what base64, URLs and regular expressions would alter

# ---- who the daemons run as, and what another process of that user gets ----

if [ "$(id -u)" -eq 0 ]; then
	export AS=nobody
	setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups true || fail "cannot become nobody"
fi
as_them() {
	if [ -n "${AS:-}" ]; then
		setpriv --reuid "$AS" --regid "$(id -g "$AS")" --clear-groups "$@"
	else
		"$@"
	fi
}
theirs() { # FILE...
	[ -z "${AS:-}" ] || chown "$AS" "$@"
}

cat >"$W/pry.py" <<'PYTHON'
"""What a process of the same user gets of another one: names of what it could read, and "attach" if it could trace it."""
import ctypes, os, sys
pid, got = int(sys.argv[1]), []
for name in ("environ", "maps", "auxv", "io", "fd"):
    path = "/proc/%d/%s" % (pid, name)
    try:
        got += [name] if (os.listdir(path) if name == "fd" else open(path, "rb").read()) else []
    except OSError:
        pass
try:
    os.close(os.open("/proc/%d/mem" % pid, os.O_RDONLY))
    got.append("mem")
except OSError:
    pass
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(16, pid, 0, 0) == 0:
    os.waitpid(pid, 0x40000000)
    libc.ptrace(17, pid, 0, 0)
    got.append("attach")
print(" ".join(got))
PYTHON
chmod 644 "$W/pry.py"

# Usual processes of this user can be looked into: else this test would prove nothing.
launch usual sleep 300
await 5 as_them test -r "/proc/${PID[usual]}/environ" || fail "nothing can be read of a usual process: this proves nothing"
open=$(as_them $PYTHON "$W/pry.py" "${PID[usual]}")
for what in environ maps fd; do
	[[ " $open " == *" $what "* ]] || fail "of a usual process $what cannot be read: $open"
done
if [ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" = 0 ]; then
	[[ " $open " == *" mem attach"* ]] || fail "a usual process cannot be traced: $open"
fi

closed() { # NAME
	local got
	got=$(as_them $PYTHON "$W/pry.py" "${PID[$1]}")
	[ -z "$got" ] || fail "another process gets of $1: $got"
	grep -q '^Max core file size  *0  *0 ' "/proc/${PID[$1]}/limits" || fail "$1 may dump core: $(grep core "/proc/${PID[$1]}/limits")"
}

closed_now() { # NAME: env and setpriv become it first
	[ -z "$(as_them $PYTHON "$W/pry.py" "${PID[$1]}")" ]
}

credentials_make
theirs "$W/token" "$W/server.key"
chmod 777 "$W"
LOG_LEVEL=debug
AS= targets_start
server_start culvertd --service "udp=udp://$UDP_TARGET" --service "sig=tcp://$TCP_TARGET"
closed culvertd

# ---- a helper with each kind of secret ----

AS= realm_start
realm_ticket
[ -z "${AS:-}" ] || chown -R "$AS" "$W/realm/ccache"
proxy_start negotiate squid-negotiate "443 $SERVER_PORT"
proxy_start basic squid-basic "443 $SERVER_PORT"
proxy_start digest squid-digest "443 $SERVER_PORT"
printf 'alice:%s\n' "$(openssl passwd -apr1 "$PASSWORD")" >"$W/basic/passwords"
printf 'alice:test:%s\n' "$(printf 'alice:test:%s' "$PASSWORD" | md5sum | cut -d ' ' -f 1)" >"$W/digest/digests"
mkdir "$W/credentials"
for file in "$W/password" "$W/credentials/proxy-password"; do
	printf '%s\n' "$PASSWORD" >"$file"
	chmod 600 "$file"
	theirs "$file"
done
[ -z "${AS:-}" ] || chown "$AS" "$W/credentials"
quoted=$($PYTHON -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe=""))' "$PASSWORD")

secret_helper() { # NAME ARG...: it connects, carries something, and is asked for its status
	helper_echo "$1" --control "$W/$1.sock" --state "$W/$1.state" "${@:2}"
	passes 15 || fail "$1: nothing passes: $(tail -n 5 "$W/$1.err")"
	signalling check "$SIG" --bytes 20000 || fail "$1: no signalling"
	as_them "$CULVERT" status --control "$W/$1.sock" >"$W/$1.status" && as_them "$CULVERT" status --json --control "$W/$1.sock" >>"$W/$1.status" ||
		fail "$1: no status"
	closed "$1"
}
secret_helper file --proxy "http://alice@127.0.0.1:${PROXY_PORT[basic]}" --proxy-password-file "$W/password"
CREDENTIALS_DIRECTORY=$W/credentials secret_helper loaded --proxy "http://alice@127.0.0.1:${PROXY_PORT[digest]}"
exec {fd}<"$W/password"
CULVERT_PROXY_PASSWORD_FD=$fd secret_helper descriptor --proxy "http://alice@127.0.0.1:${PROXY_PORT[digest]}"
exec {fd}<&-
https_proxy=http://alice:$quoted@127.0.0.1:${PROXY_PORT[basic]} secret_helper environment
secret_helper ticket --proxy "http://localhost:${PROXY_PORT[negotiate]}"
grep -q "login     Negotiate as alice" "$W/ticket.status" || fail "no Negotiate in the status: $(cat "$W/ticket.status")"
grep -q "login     Basic as alice at " "$W/file.status" || fail "no login in the status: $(cat "$W/file.status")"
grep -q "login     Digest as alice at " "$W/loaded.status" || fail "no Digest in the status: $(cat "$W/loaded.status")"

# Root reads the environment of anybody; the password is gone from there, too.
if [ -n "${AS:-}" ]; then
	tr '\0' '\n' <"/proc/${PID[environment]}/environ" >"$W/environment.environ"
	grep -q '^https_proxy=http://alice:\*' "$W/environment.environ" || fail "the environment's proxy: $(grep https_proxy "$W/environment.environ")"
	tr '\0' '\n' <"/proc/${PID[descriptor]}/environ" >"$W/descriptor.environ"
fi
for pid in "${PID[@]}"; do
	tr '\0' '\n' <"/proc/$pid/cmdline"
done >"$W/all.cmdline"

# ---- the doctor, its report and its log ----

for name in file environment; do
	arguments=() variables=(env)
	[ $name = environment ] && variables+=("https_proxy=http://alice:$quoted@127.0.0.1:${PROXY_PORT[basic]}") ||
		arguments=(--proxy "http://alice@127.0.0.1:${PROXY_PORT[digest]}" --proxy-password-file "$W/password")
	touch "$W/$name.report"
	theirs "$W/$name.report"
	launch "doctor-$name" "${variables[@]}" "$CULVERT" doctor "https://localhost:$SERVER_PORT" --token-file "$W/token" --cafile "$W/server.crt" \
		--state none --log-level debug --seconds 1 --report "$W/$name.report" "${arguments[@]}"
done
await 5 closed_now doctor-file || fail "another process gets of the doctor: $(as_them $PYTHON "$W/pry.py" "${PID[doctor-file]}")"
for name in file environment; do
	finish "doctor-$name" 100 || fail "the doctor by $name: $(tail -n 20 "$W/doctor-$name.out" "$W/doctor-$name.err")"
	grep -q "login.*Digest as alice\|login.*Basic as alice" "$W/$name.report" || fail "the doctor says nothing of the login: $(cat "$W/$name.report")"
done

# ---- a crash leaves nothing behind ----

kill -ABRT "${PID[descriptor]}"
rc=0
finish descriptor 10 || rc=$?
[ $rc -eq 134 ] || fail "a crash gives $rc"
[ -z "$(find "$W" . -maxdepth 1 -name 'core*' -newer "$W/all.cmdline" 2>/dev/null)" ] || fail "a core dump"
for name in file loaded environment ticket culvertd; do
	stop "$name" || :
done

# ---- nothing of it anywhere ----

# What was sent to the proxies, as they saw it; and what it was made from.
sed -n 's/^[^"]*"\(.*\)"$/\1/p' "$W"/{basic,digest,negotiate}/access.log | grep -v '^-$' | sort -u >"$W/sent"
[ "$(grep -c '^Basic ' "$W/sent")" -ge 1 ] && [ "$(grep -c '^Digest ' "$W/sent")" -ge 2 ] && [ "$(grep -c '^Negotiate YI' "$W/sent")" -ge 1 ] || fail "the proxies saw: $(cat "$W/sent")"
token=$(sed 's/^[^:]*://' "$W/token")
{
	cat "$W/sent"
	sed -n 's/^[A-Z][a-z]* \([A-Za-z0-9+/]\{20,\}\).*/\1/p' "$W/sent" | cut -c 1-400
	sed -n 's/.*[ ,]response="\{0,1\}\([0-9a-f]\{32\}\).*/\1/p' "$W/sent"
	printf '%s\n' "$PASSWORD" "$quoted" "$token"
	printf 'alice:%s' "$PASSWORD" | base64 -w 0 && echo
	printf '%s' "$PASSWORD" | base64 -w 0 && echo
	printf '%s' "$token" | base64 -w 0 && echo
	printf 'alice:test:%s' "$PASSWORD" | md5sum | cut -d ' ' -f 1
	printf '%s\n' "Authorization: " "mac="
} | sort -u >"$W/secrets"
searched=0
for file in "$W"/*.err "$W"/*.out "$W"/*.status "$W"/*.state "$W"/*.report "$W"/*.environ "$W"/*.cmdline; do
	case ${file##*/} in gen-cert.out | "*"*) continue ;; esac
	[ -e "$file" ] || continue
	searched=$((searched + 1))
	! found=$(grep -n -F -f "$W/secrets" "$file") || fail "a secret in ${file##*/}: $found"
done
[ $searched -ge 20 ] || fail "only $searched files were searched"
grep -q "DEBUG\|debug" "$W/file.err" || fail "the log was not at debug"
