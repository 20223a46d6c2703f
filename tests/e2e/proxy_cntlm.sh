#!/usr/bin/env bash
# As people do it today: cntlm in front of a proxy that wants NTLM; a call by CONNECT, and one through it where CONNECT is denied.
# seconds: 50
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 NO_LINK=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/lib/samba.sh"
SERVER_PLAIN=1 setup_calls
samba_start
for kind in samba samba-abs; do
	proxy_start $kind squid-$kind "443 $SERVER_PORT"
	CNTLM_UPSTREAM=${PROXY_PORT[$kind]} proxy_start cntlm cntlm${kind#samba} ""
	proxy_mark $kind
	call cntlm "$([ $kind = samba ] && echo duplex || echo poll)"
	await 5 _cell_settled $kind
	note "$kind: $(squid_auth_log $kind | sort | uniq -c | xargs)"
	check "$(squid_auth_log $kind | grep -c ' 200 ZOO\\games ')" ">=" 1 "$kind: requests of the user"
	proxy_stop cntlm
	proxy_stop $kind
done
