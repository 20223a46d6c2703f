#!/usr/bin/env bash
# Proxies that the environment and the desktop's settings name, and which of them is believed.
# seconds: 120
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/hops.sh"
. "$TOP/tests/lib/desktop.sh"
setup_echo
proxy_start tiny tinyproxy "443 $SERVER_PORT"
TINY=127.0.0.1:${PROXY_PORT[tiny]}
GONE=127.0.0.1:$(free_port)

# It passes, the log says by which proxies, and the proxy was asked, or not.
through() { # NAME ASKED(yes|no) CANDIDATES FROM ARG...: with the environment of the caller
	local asked
	proxy_mark tiny
	helper_echo "$1" "${@:5}"
	passes 20 || fail "$1: no datagrams"
	expect "$1" 1 "proxy candidates: $3 \(from $4\)"
	read -r asked _ < <(proxy_count tiny)
	stop_expecting "$1" 0
	[ "$2" = "$([ "$asked" -gt 0 ] && echo yes || echo no)" ] || fail "$1: $asked CONNECTs"
	note "$1: passes"
}

HTTPS_PROXY=http://$TINY through upper yes "$TINY" HTTPS_PROXY
https_proxy=$TINY HTTPS_PROXY=http://$GONE through lower yes "$TINY" https_proxy
ALL_PROXY=http://$TINY/ through all yes "$TINY" ALL_PROXY
HTTPS_PROXY=http://$GONE NO_PROXY="example.com, localhost" through no-proxy no direct NO_PROXY
HTTPS_PROXY=http://$GONE no_proxy="*" through no-proxy-all no direct no_proxy
HTTPS_PROXY=http://$TINY NO_PROXY="local,.host" through no-proxy-other yes "$TINY" HTTPS_PROXY
HTTPS_PROXY=http://$GONE through given yes "$TINY" --proxy --proxy "http://$TINY"
HTTPS_PROXY=http://$GONE through none no direct --proxy --proxy none
hop_dante dante
ALL_PROXY=socks5h://127.0.0.1:${PROXY_PORT[dante]} through socks no "socks5://127.0.0.1:${PROXY_PORT[dante]}" ALL_PROXY

# One that is malformed is told, and is none.
HTTPS_PROXY=socks4://$TINY helper_echo malformed
passes 20 || fail "malformed: no datagrams"
expect malformed 1 "the environment variable HTTPS_PROXY is a SOCKS4 proxy"
stop_expecting malformed 0

# A password in it is used, and seen nowhere.
proxy_start basic squid-basic "443 $SERVER_PORT"
HTTPS_PROXY=http://alice:secret@127.0.0.1:${PROXY_PORT[basic]} LOG_LEVEL=debug helper_echo password
passes 20 || fail "password: no datagrams"
! grep -a -q 'secret' "$W/password.err" || fail "the password is in the log"
! tr '\0' '\n' <"/proc/${PID[password]}/environ" | grep -q secret || fail "the password is in the environment"
stop_expecting password 0

# The desktop.
desktop_make '[system/proxy]' "mode='manual'" "ignore-hosts=['intern']" '[system/proxy/https]' "host='127.0.0.1'" "port=${TINY#*:}"
on_desktop through desktop yes "$TINY" "system settings"
HTTPS_PROXY=http://$GONE NO_PROXY=localhost on_desktop through desktop-environment no direct NO_PROXY
desktop_make '[system/proxy]' "mode='manual'" "ignore-hosts=['localhost']" '[system/proxy/https]' "host='127.0.0.1'" "port=${GONE#*:}"
on_desktop helper_echo desktop-ignored
passes 20 || fail "the desktop's exceptions are not heeded"
stop_expecting desktop-ignored 0

# A desktop that hangs: without its settings after a while, and what hung is gone.
desktop_make ''
rm "$W/desktop/glib-2.0/settings/keyfile"
mkfifo "$W/desktop/glib-2.0/settings/keyfile"
hanging() { # Programs of that desktop's settings.
	grep -l -s -z -x "XDG_CONFIG_HOME=$W/desktop" /proc/[0-9]*/environ | grep -v "/${PID[desktop-hangs]}/" | wc -l
}
none_hangs() { [ "$(hanging)" -eq 0 ]; }
on_desktop helper_echo desktop-hangs
await 5 eval '[ "$(hanging)" -gt 0 ]' || fail "nothing hangs, so that this tests nothing"
passes 20 || fail "a desktop that hangs is waited for too long"
await 5 none_hangs || fail "$(hanging) programs that ask the desktop are left"
