# Sourced after harness.sh: real proxies on loopback, each under a name in a directory of its own.
#
#   proxy_start NAME KIND CONNECT-PORTS [UPSTREAM-CA]   CONNECT-PORTS: "443 8443", what CONNECT may reach
#   proxy_stop NAME
#   proxy_mark NAME                     count from here on
#   proxy_count NAME                    prints "CONNECTS TUNNELS EXCHANGES" since the mark, from the proxy's own log
#
# KIND: squid-bump (intercepts TLS, else stock), squid (plain CONNECT), squid-basic (user alice, password
# secret), mitmproxy, tinyproxy, storefwd (STOREFWD_OPTIONS).
# After proxy_start: ${PROXY_PORT[NAME]}, and ${PROXY_CA[NAME]} where the proxy intercepts TLS.

declare -A PROXY_KIND=() PROXY_PORT=() PROXY_CA=() PROXY_LOG=() PROXY_MARK=()

_squid_common() { # DIR PORT-OPTIONS CONNECT-PORTS
	cat <<-CONF
		http_port 127.0.0.1:$2
		visible_hostname proxy.test
		pid_filename $1/squid.pid
		cache_log $1/cache.log
		access_log stdio:$1/access.log
		coredump_dir $1
		cache_mem 8 MB
		pinger_enable off
		netdb_filename none
		shutdown_lifetime 0 seconds
		acl SSL_ports port $3
		acl Safe_ports port 80 443 1025-65535
		http_access deny !Safe_ports
		http_access deny CONNECT !SSL_ports
	CONF
}

_squid_basic() { # DIR
	printf 'alice:%s\n' "$(openssl passwd -apr1 secret)" >"$1/passwords"
	cat <<-CONF
		auth_param basic program /usr/lib/squid/basic_ncsa_auth $1/passwords
		auth_param basic children 1
		auth_param basic realm test
		acl known proxy_auth REQUIRED
		http_access deny !known
	CONF
}

_squid_bump() { # DIR UPSTREAM-CA
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=intercepting proxy CA" -addext "basicConstraints=critical,CA:TRUE" \
		-addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$1/bump.key" -out "$1/ca.crt" 2>/dev/null
	cat "$1/ca.crt" "$1/bump.key" >"$1/bump.pem"
	/usr/lib/squid/security_file_certgen -c -s "$1/certificates" -M 4MB >/dev/null
	cat <<-CONF
		sslcrtd_program /usr/lib/squid/security_file_certgen -s $1/certificates -M 4MB
		sslcrtd_children 2
		tls_outgoing_options cafile=$2
		acl step1 at_step SslBump1
		ssl_bump peek step1
		ssl_bump bump all
	CONF
}

_start_squid() { # NAME KIND PORTS CA DIR PORT
	local port=$6 extra=
	case $2 in
	squid-bump)
		port="$6 ssl-bump cert=$5/bump.pem generate-host-certificates=on dynamic_cert_mem_cache_size=4MB"
		extra=$(_squid_bump "$5" "$4")
		PROXY_CA[$1]=$5/ca.crt
		;;
	squid-basic) extra=$(_squid_basic "$5") ;;
	esac
	{
		_squid_common "$5" "$port" "$3"
		printf '%s\nhttp_access allow localhost\nhttp_access deny all\n' "$extra"
	} >"$5/squid.conf"
	PROXY_LOG[$1]=$5/access.log
	_own "$5"
	AS=nobody launch "$1" squid -N -f "$5/squid.conf"
}

_start_mitmproxy() { # NAME KIND PORTS CA DIR PORT
	PROXY_CA[$1]=$5/mitmproxy-ca-cert.pem
	PROXY_LOG[$1]=$5/exchanges.log
	_own "$5"
	cp "$PROXIES/mitmproxy_log.py" "$5/" || return # nobody may not be let into where the project lies
	HOME=$5 EXCHANGES_LOG=$5/exchanges.log AS=nobody launch "$1" mitmdump --mode regular --listen-host 127.0.0.1 -p "$6" --set "confdir=$5" \
		--set "ssl_verify_upstream_trusted_ca=$4" --set flow_detail=0 -s "$5/mitmproxy_log.py"
}

_start_tinyproxy() { # NAME KIND PORTS CA DIR PORT
	cat >"$5/tinyproxy.conf" <<-CONF
		Port $6
		Listen 127.0.0.1
		Timeout 600
		LogFile "$5/tinyproxy.log"
		LogLevel Info
		PidFile "$5/tinyproxy.pid"
		MaxClients 100
		Allow 127.0.0.1
		ViaProxyName "tinyproxy"
		$(printf 'ConnectPort %s\n' $3)
	CONF
	PROXY_LOG[$1]=$5/tinyproxy.log
	_own "$5"
	AS=nobody launch "$1" tinyproxy -d -c "$5/tinyproxy.conf"
}

_own() { # DIR: the proxies run as nobody when we are root
	[ "$(id -u)" -ne 0 ] || chown -R nobody "$1" 2>/dev/null || :
}

_proxy_up() { # NAME PORT
	! running "$1" || answers "$2"
}

_launch_proxy() { # NAME KIND PORTS CA: sets PROXY_PORT
	local dir=$W/$1
	mkdir -p "$dir"
	case $2 in
	storefwd)
		PROXY_CA[$1]=$dir/ca.crt
		PROXY_LOG[$1]=$dir/exchanges.log
		launch "$1" $PYTHON "$PROXIES/storefwd.py" --dir "$dir" --listen "${PROXY_LISTEN:-127.0.0.1:0}" --upstream-ca "$4" ${STOREFWD_OPTIONS:-}
		PROXY_PORT[$1]=$(port_of "$(ready "$1" tcp storefwd)")
		return
		;;
	squid*) PROXY_PORT[$1]=$(free_port) && _start_squid "$@" "$dir" "${PROXY_PORT[$1]}" ;;
	mitmproxy) PROXY_PORT[$1]=$(free_port) && _start_mitmproxy "$@" "$dir" "${PROXY_PORT[$1]}" ;;
	tinyproxy) PROXY_PORT[$1]=$(free_port) && _start_tinyproxy "$@" "$dir" "${PROXY_PORT[$1]}" ;;
	*) fail "no such kind of proxy: $2" ;;
	esac
	await 40 _proxy_up "$1" "${PROXY_PORT[$1]}" && running "$1"
}

proxy_start() { # NAME KIND CONNECT-PORTS [UPSTREAM-CA]
	local try
	PROXY_KIND[$1]=$2 PROXY_MARK[$1]=0
	for try in 1 2 3; do # the port may have been taken in the meantime
		_launch_proxy "$1" "$2" "$3" "${4:-}" && return
		stop "$1" || :
	done
	tail -n 20 "$W/$1.err" "$W/$1"/*.log >&2
	fail "$2 did not start"
}

proxy_stop() { # NAME
	stop "$1" || :
}

_log_lines() { # NAME
	tail -n +"$((PROXY_MARK[$1] + 1))" "${PROXY_LOG[$1]}" 2>/dev/null
}

proxy_mark() { # NAME
	PROXY_MARK[$1]=$(cat "${PROXY_LOG[$1]}" 2>/dev/null | wc -l)
}

# connects: requests for a tunnel. tunnels: those whose content the proxy did not see. exchanges: HTTP
# requests that it saw, inside intercepted TLS or not.
proxy_count() { # NAME
	case ${PROXY_KIND[$1]} in
	squid*) _log_lines "$1" | awk '
		$6 == "CONNECT" { connects++; if ($4 ~ /^TCP_TUNNEL\//) tunnels++; next }
		$4 !~ /^TCP_DENIED/ && $7 !~ /^error:/ { exchanges++ }
		END { print connects + 0, tunnels + 0, exchanges + 0 }' ;;
	tinyproxy) _log_lines "$1" | awk '
		/ Request \(file descriptor [0-9]+\): / { if ($0 ~ /: CONNECT /) connects++; else exchanges++ }
		/ Established connection to host / { tunnels++ }
		END { print connects + 0, tunnels + 0, exchanges + 0 }' ;;
	*) _log_lines "$1" | awk '
		$3 == "connect" { connects++ } $3 == "tunnel" { tunnels++ } $3 == "exchange" { exchanges++ }
		END { print connects + 0, tunnels + 0, exchanges + 0 }' ;;
	esac
}
