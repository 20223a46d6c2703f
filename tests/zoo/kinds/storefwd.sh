# The store-and-forward HTTP/1.0 proxy (tests/proxies/storefwd.py); further options by STOREFWD_OPTIONS. storefwd-abs: CONNECT denied.

_start_storefwd() { # NAME KIND PORTS CA DIR PORT
	local address options=${STOREFWD_OPTIONS:-}
	[ "$2" != storefwd-abs ] || options+=" --connect deny"
	PROXY_CA[$1]=$5/ca.crt PROXY_LOG[$1]=$5/exchanges.log
	launch "$1" $PYTHON "$PROXIES/storefwd.py" --dir "$5" --listen "${PROXY_LISTEN:-127.0.0.1:0}" --upstream-ca "$4" $options
	address=$(ready "$1" tcp storefwd) && PROXY_PORT[$1]=$(port_of "$address")
}

_count_storefwd() { _count_events; }
