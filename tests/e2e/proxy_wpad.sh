#!/usr/bin/env bash
# A network that announces its PAC file by DNS: used where the desktop's settings or the options ask for it, and else not.
# seconds: 60
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
fi
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/desktop.sh"
setup_echo
proxy_start tiny tinyproxy "443 $SERVER_PORT"
TINY=127.0.0.1:${PROXY_PORT[tiny]}

# Nothing but these files says what names mean here.
printf '%s\n' "127.0.0.1 localhost" "127.0.0.2 wpad.corp.example" "127.0.0.3 wpad.example wpad" >"$W/hosts"
printf '%s\n' "nameserver 127.0.0.9" "options timeout:1 attempts:1" "search example berlin.corp.example corp.example" >"$W/resolv.conf"
mount --bind "$W/hosts" /etc/hosts && mount --bind "$W/resolv.conf" /etc/resolv.conf || fail "mount"

mkdir "$W/right" "$W/wrong"
echo "function FindProxyForURL(url, host) { return 'PROXY $TINY'; }" >"$W/right/wpad.dat"
echo "function FindProxyForURL(url, host) { return 'PROXY 127.0.0.3:9'; }" >"$W/wrong/wpad.dat"
PAC_LISTEN=127.0.0.2:80 launch right $PYTHON "$PROXIES/pac_server.py" "$W/right"
PAC_LISTEN=127.0.0.3:80 launch wrong $PYTHON "$PROXIES/pac_server.py" "$W/wrong"
ready right tcp pac >/dev/null && ready wrong tcp pac >/dev/null || fail "no servers for PAC files"

helper_echo option --proxy-pac wpad
passes 20 || fail "nothing passes"
expect option 1 "proxy candidates: $TINY \(from PAC http://wpad.corp.example/wpad.dat\)"
stop_expecting option 0

desktop_make '[system/proxy]' "mode='auto'" "ignore-hosts=['intern']"
on_desktop helper_echo desktop
passes 20 || fail "nothing passes"
expect desktop 1 "proxy candidates: $TINY \(from PAC http://wpad.corp.example/wpad.dat, system settings\)"
stop_expecting desktop 0
! grep -q "request.*wpad" "$W/wrong.out" || fail "a domain with one label was asked"

# Who does not ask for it does not get it.
before=$(grep -c request "$W/right.out")
helper_echo nobody
passes 20 || fail "nothing passes"
stop_expecting nobody 0
[ "$before" -eq "$(grep -c request "$W/right.out")" ] || fail "a PAC file was looked for though nobody said so"

# Nobody to ask.
echo "search example" >"$W/resolv.conf"
helper_echo nowhere --proxy-pac wpad
expect nowhere 10 "the PAC file wpad is not looked for: /etc/resolv.conf names no domain"
passes 20 || fail "nothing passes"
