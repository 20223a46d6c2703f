# mitmproxy at its defaults: intercepts TLS, reads every body whole. mitmproxy-abs: CONNECT denied by an add-on.

_start_mitmproxy() { # NAME KIND PORTS CA DIR PORT
	PROXY_CA[$1]=$5/mitmproxy-ca-cert.pem
	PROXY_LOG[$1]=$5/exchanges.log
	local deny=
	[ "$2" != mitmproxy-abs ] || deny=1
	_own "$5"
	cp "$PROXIES/mitmproxy_log.py" "$5/" || return # nobody may not be let into where the project lies
	HOME=$5 EXCHANGES_LOG=$5/exchanges.log DENY_CONNECT=$deny AS=nobody launch "$1" mitmdump --mode regular --listen-host "$PROXY_HOST" -p "$6" --set "confdir=$5" \
		--set "ssl_verify_upstream_trusted_ca=$4" --set flow_detail=0 -s "$5/mitmproxy_log.py"
}

_count_mitmproxy() { _count_events; }
