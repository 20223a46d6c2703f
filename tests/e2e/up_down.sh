#!/usr/bin/env bash
# culvert up and down: what they ask of systemctl (one that notes it: there is no user's systemd in tests), and what they say when that fails.
. "$(dirname "$0")/e2e.sh"
export HOME=$W/home XDG_CONFIG_HOME=
CONF=$HOME/.config/culvert/culvert.conf
mkdir -p "$HOME" "$W/bin"
printf '#!/bin/sh\necho "$@" >>"%s/asked"\nexit "$(cat "%s/status")"\n' "$W" "$W" >"$W/bin/systemctl"
chmod +x "$W/bin/systemctl"
PATH=$W/bin:$PATH
ask() { # WANTED-STATUS PATTERN COMMAND...
	local rc=0 want=$1 pattern=$2
	shift 2
	PATH=${LOOK:-$PATH} "$CULVERT" "$@" >"$W/said" 2>&1 || rc=$?
	[ $rc -eq "$want" ] || fail "$* ended with status $rc, not $want: $(cat "$W/said")"
	grep -q -e "$pattern" "$W/said" || fail "$* does not say '$pattern': $(cat "$W/said")"
}
echo 0 >"$W/status"
ask 2 "$CONF: No such file or directory; write it first" up
mkdir -p "${CONF%/*}"
echo 'server = "https://calls.example.com"' >"$CONF"
ask 2 "token-file" up
printf 'token-file = "token"\nlocal = { "udp://127.0.0.1:0=rtp" }\nservr = "x"\n' >>"$CONF"
ask 2 "$CONF:4" up
[ ! -e "$W/asked" ] || fail "systemctl was asked although the configuration is wrong"
sed -i '$d' "$CONF"
ask 0 "culvert runs now" up
ask 0 "culvert is stopped" down
[ "$(cat "$W/asked")" = "--user enable --now culvert.service
--user disable --now culvert.service" ] || fail "systemctl was asked: $(cat "$W/asked")"
echo 5 >"$W/status"
ask 1 "status 5.*journalctl" up
XDG_CONFIG_HOME=$W/other ask 2 "$W/other/culvert/culvert.conf: No such file" up
mkdir "$W/empty"
LOOK=$W/empty ask 1 "there is no systemctl here.*culvert -c $CONF" up
ask 2 "usage: culvert up" up now
ask 0 "usage: culvert down" down --help
