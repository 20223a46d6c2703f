#!/usr/bin/env bash
# PAC files: candidates in order, the next one when a proxy goes, back when it returns; the desktop's; files that are of no use.
# seconds: 180
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/desktop.sh"
setup_echo
for name in a b; do
	proxy_start $name tinyproxy "443 $SERVER_PORT"
done
A=127.0.0.1:${PROXY_PORT[a]} B=127.0.0.1:${PROXY_PORT[b]}
mkdir "$W/pac"
launch pac $PYTHON "$PROXIES/pac_server.py" "$W/pac"
PAC=http://$(ready pac tcp pac)

pac() { # NAME ANSWER: an expression
	echo "function FindProxyForURL(url, host) { return $2; }" >"$W/pac/$1"
}

asked() { # NAME: has that proxy been asked since the mark?
	local connects
	read -r connects _ < <(proxy_count "$1")
	[ "$connects" -gt 0 ]
}

mark() {
	proxy_mark a
	proxy_mark b
}

pac both.pac "host == 'localhost' && url == 'https://localhost:$SERVER_PORT/' && isInNet(dnsResolve('localhost'), '127.0.0.0', '255.0.0.0')
	? 'PROXY $A; SOCKS4 127.0.0.1:1; PROXY $B' : 'PROXY 127.0.0.1:1'"
helper_echo first --proxy-pac "$PAC/both.pac"
passes 20 || fail "nothing passes by a PAC file"
expect first 1 "proxy candidates: $A, $B \(from PAC $PAC/both.pac\)"
asked a || fail "the first candidate was not asked"
! asked b || fail "the second candidate was asked though the first one is there"
[ -z "$(cat "/proc/${PID[first]}/task/${PID[first]}/children")" ] || fail "children of discovery are left"

# The first one goes, and comes back on the same port.
mark
proxy_stop a
await 30 asked b || fail "the second candidate was not asked"
passes 30 || fail "nothing passes when the first candidate has gone"
AS=nobody launch a tinyproxy -d -c "$W/a/tinyproxy.conf"
mark
await 60 asked a || fail "the first candidate was not asked again"
passes 20 || fail "nothing passes when the first candidate is back"
stop_expecting first 0

# A candidate that is not there from the beginning; a file by name.
pac gone.pac "'PROXY 127.0.0.1:$(free_port); PROXY $B; DIRECT'"
mark
helper_echo gone --proxy-pac "$W/pac/gone.pac"
passes 30 || fail "nothing passes when the first candidate was never there"
asked b || fail "the second candidate was not asked"
stop_expecting gone 0

# By TLS, verified: with a CA of --cafile, but not with anybody's.
launch tls $PYTHON "$PROXIES/pac_server.py" "$W/pac" "$W/server.crt" "$W/server.key"
TLS=$(ready tls tcp pac)
mark
helper_echo tls-good --proxy-pac "https://localhost:${TLS#*:}/both.pac"
passes 20 || fail "nothing passes by a PAC file that came by TLS"
asked a || fail "the PAC file that came by TLS was not heeded"
stop_expecting tls-good 0
"$CULVERTD" gen-cert --host localhost --cert "$W/other.crt" --key "$W/other.key" >/dev/null || fail "gen-cert"
launch other $PYTHON "$PROXIES/pac_server.py" "$W/pac" "$W/other.crt" "$W/other.key"
TLS=$(ready other tcp pac)
helper_echo tls-bad --proxy-pac "https://localhost:${TLS#*:}/both.pac"
expect tls-bad 20 "PAC file https://localhost:${TLS#*:}/both.pac could not be fetched: SSL certificate problem"
stop_expecting tls-bad 0
mkdir "$W/ca"
cp "$W/other.crt" "$W/ca/Other CA.pem"
echo junk >"$W/ca/README"
mark
helper_echo tls-directory --proxy-pac "https://localhost:${TLS#*:}/both.pac" --ca-dir "$W/ca"
passes 20 || fail "nothing passes by a PAC file whose certificate a directory vouches for"
asked a || fail "the PAC file whose certificate a directory vouches for was not heeded"
stop_expecting tls-directory 0

# The desktop names the file.
desktop_make '[system/proxy]' "mode='auto'" "ignore-hosts=['intern']" "autoconfig-url='$PAC/both.pac'"
mark
on_desktop helper_echo desktop
passes 20 || fail "nothing passes by the desktop's PAC file"
expect desktop 1 "proxy candidates: $A, $B \(from PAC $PAC/both.pac, system settings\)"
asked a || fail "the desktop's PAC file was not heeded"
stop_expecting desktop 0

# Files that are of no use: said, and the server is reached directly; the helper is none the worse for it.
echo '<html><title>Log in</title>' >"$W/pac/page.pac"
pac forever.pac "(function() { while (true) ; })()"
pac memory.pac "(function() { for (var s = 'x', all = []; ; all.push(s)) s += s + all.length; })()"
pac recursion.pac "(function f(n) { return f(n + 1) + 1; })(0)"
{ printf 'x = '; head -c 300000 /dev/zero | tr '\0' '('; } >"$W/pac/deep.pac"
pac junk.pac "'SOCKS4 $A; GOPHER $B'"
pac throws.pac "no_such_function(host)"
head -c 2000000 /dev/zero | tr '\0' ' ' >"$W/pac/large.pac"
mark
UDP_OF=()
for name in page forever memory recursion deep junk throws large missing; do
	helper_echo "bad-$name" --proxy-pac "$PAC/$name.pac"
	UDP_OF+=("$UDP")
done
i=0
for name in page forever memory recursion deep junk throws large missing; do
	expect "bad-$name" 20 "the PAC file $PAC/$name.pac .*; going without a proxy until it answers"
	UDP=${UDP_OF[$i]} passes 20 || fail "bad-$name: nothing passes"
	stop_expecting "bad-$name" 0
	i=$((i + 1))
done
! asked a && ! asked b || fail "a proxy was asked for by a file that is of no use"
