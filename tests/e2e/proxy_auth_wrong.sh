#!/usr/bin/env bash
# Wrong passwords: at most two attempts in 20 s, then a sentence, until the file is read anew; no ticket; only schemes that are refused.
# seconds: 90
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 NO_LINK=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/kerberos.sh"
. "$TOP/tests/lib/samba.sh"
setup_echo
realm_start
samba_start
echo wrong >"$W/wrong"
chmod 600 "$W/wrong"
declare -A USER_OF=([basic]=alice [digest]=alice [samba]=ZOO%5Cgames) LAST=([basic]=Basic [digest]=Digest [samba]=NTLM3)
declare -A UDP_OF=()
at() { echo "localhost:${PROXY_PORT[$1]}"; }

began=$SECONDS
for kind in "${!USER_OF[@]}"; do
	proxy_start "$kind" "squid-$kind" "443 $SERVER_PORT"
	proxy_mark "$kind"
	cp "$W/wrong" "$W/$kind.password"
	helper_echo "by-$kind" --proxy "http://${USER_OF[$kind]}@$(at "$kind")" --proxy-auth "basic,digest,ntlm" --proxy-password-file "$W/$kind.password"
	UDP_OF[$kind]=$UDP
done

# Found by a PAC file: nobody said that the password may go to that proxy as it is. And a list without what it offers.
cat >"$W/proxy.pac" <<PAC
function FindProxyForURL(url, host) { return "PROXY $(at basic)"; }
PAC
echo secret >"$W/right"
chmod 600 "$W/right"
helper_echo by-pac --proxy-pac "$W/proxy.pac" --proxy-user bob --proxy-password-file "$W/right"
helper_echo by-list --proxy "http://carol@$(at basic)" --proxy-auth digest,ntlm --proxy-password-file "$W/right"
# Three proxies that may ask one directory: all attempts together.
for n in 1 2 3; do
	proxy_start dir$n squid-basic "443 $SERVER_PORT"
	proxy_mark dir$n
done
cat >"$W/three.pac" <<PAC
function FindProxyForURL(url, host) { return "PROXY $(at dir1); PROXY $(at dir2); PROXY $(at dir3)"; }
PAC
helper_echo by-three --proxy-pac "$W/three.pac" --proxy-auth basic --proxy-user dora --proxy-password-file "$W/wrong"
# No ticket.
proxy_start negotiate squid-negotiate "443 $SERVER_PORT"
helper_echo by-ticket --proxy "http://$(at negotiate)"
TICKET_UDP=$UDP

for kind in "${!USER_OF[@]}"; do
	expect "by-$kind" 15 "$(at "$kind").*(rejected|refused|does not accept).*trying again|(rejected|refused|does not accept).*$(at "$kind")"
done
expect by-pac 10 "$(at basic).*Basic"
expect by-list 10 "$(at basic).*Basic"
expect by-ticket 10 "kinit"

realm_ticket
UDP=$TICKET_UDP
passes 25 || fail "nothing passes after kinit"

while [ $((SECONDS - began)) -lt 20 ]; do
	sleep 0.2
done
for kind in "${!USER_OF[@]}"; do
	tried=$(squid_auth_log "$kind" | grep -c " ${LAST[$kind]}\$")
	note "$kind: tried $tried times in $((SECONDS - began)) s: $(squid_auth_log "$kind" | sort | uniq -c | xargs)"
	check "$tried" ">=" 1 "$kind: attempts with the wrong password"
	check "$tried" "<=" 2 "$kind: attempts with the wrong password"
	grep -q -E 'Basic|NTLM|Digest' "$W/by-$kind.err" || fail "$kind: not said which scheme"
done
tried=$(for n in 1 2 3; do squid_auth_log dir$n; done | grep -c " dora ")
note "three proxies: tried $tried times"
check "$tried" ">=" 1 "attempts with the wrong password at three proxies"
check "$tried" "<=" 3 "attempts with the wrong password at three proxies"
! squid_auth_log basic | grep -q -E 'bob|carol' || fail "a password went to a proxy that nobody allowed it for"

# Read anew, but still wrong: once more at most with each reload.
for reload in 1 2 3; do
	for kind in "${!USER_OF[@]}"; do
		kill -HUP "${PID[by-$kind]}"
	done
	sleep 3
done
for kind in "${!USER_OF[@]}"; do
	tried=$(squid_auth_log "$kind" | grep -c " ${LAST[$kind]}\$")
	note "$kind: tried $tried times after 3 reloads"
	check "$tried" "<=" 5 "$kind: attempts with the wrong password after 3 reloads"
done

# Put right, and read anew.
for kind in "${!USER_OF[@]}"; do
	cp "$W/right" "$W/$kind.password"
	kill -HUP "${PID[by-$kind]}"
done
for kind in "${!USER_OF[@]}"; do
	UDP=${UDP_OF[$kind]}
	passes 20 || fail "$kind: nothing passes after the password was put right"
done
for name in by-pac by-list; do
	running $name || fail "$name has ended"
done
! grep -q -w secret "$W"/by-*.err || fail "a password in a log"
