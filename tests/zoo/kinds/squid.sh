# Squid. squid (or squid-plain): CONNECT to the ports given. squid-strict: the same, to 443 only, as shipped. squid-names: CONNECT to
# names only. squid-bump: intercepts TLS. squid-hasty: squid-bump with small time-outs. squid-SCHEME: wants credentials, see
# squid_auth.sh. ...-abs: the same, CONNECT denied.

_squid_common() { # DIR PORT-OPTIONS CONNECT-PORTS
	cat <<-CONF
		http_port $PROXY_HOST:$2
		visible_hostname proxy.test
		pid_filename $1/squid.pid
		cache_log $1/cache.log
		logformat proxy %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %un %Sh/%<a %mt "%{Proxy-Authorization}>h"
		access_log stdio:$1/access.log proxy
		coredump_dir $1
		cache_mem 8 MB
		pinger_enable off
		netdb_filename none
		shutdown_lifetime 0 seconds
		acl near src 127.0.0.0/8 10.77.0.0/24
		acl SSL_ports port $3
		acl Safe_ports port 80 443 1025-65535
		http_access deny !Safe_ports
		http_access deny CONNECT !SSL_ports
	CONF
}

_squid_bump() { # DIR UPSTREAM-CA
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=intercepting proxy CA" -addext "basicConstraints=critical,CA:TRUE" \
		-addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$1/bump.key" -out "$1/ca.crt" 2>/dev/null
	cat "$1/ca.crt" "$1/bump.key" >"$1/bump.pem"
	$SQUID_LIB/security_file_certgen -c -s "$1/certificates" -M 4MB >/dev/null
	cat <<-CONF
		sslcrtd_program $SQUID_LIB/security_file_certgen -s $1/certificates -M 4MB
		sslcrtd_children 2
		tls_outgoing_options cafile=$2
		acl step1 at_step SslBump1
		ssl_bump peek step1
		ssl_bump bump all
	CONF
}

# A connection of a client is cut when it is 20 s old, which its log calls TIMEDOUT; idle ones are closed at once, nearly.
_squid_hasty() {
	cat <<-CONF
		read_timeout 5 seconds
		client_lifetime 20 seconds
		client_idle_pconn_timeout 2 seconds
		server_idle_pconn_timeout 2 seconds
	CONF
}

_squid_names() {
	cat <<-'CONF'
		acl literal dstdom_regex -n ^[0-9.]+$ ^\[?[0-9a-fA-F]*:[0-9a-fA-F:.]*\]?$
		http_access deny CONNECT literal
	CONF
}

_start_squid() { # NAME KIND PORTS CA DIR PORT
	local port=$6 ports=$3 kind=${2%-abs} extra=
	case $kind in
	squid | squid-plain) ;;
	squid-strict) ports=443 ;;
	squid-names) extra=$(_squid_names) ;;
	squid-bump | squid-hasty)
		port="$6 ssl-bump cert=$5/bump.pem generate-host-certificates=on dynamic_cert_mem_cache_size=4MB"
		extra=$(_squid_bump "$5" "$4")
		[ "$2" != squid-hasty ] || extra+=$'\n'$(_squid_hasty)
		PROXY_CA[$1]=$5/ca.crt
		;;
	*) extra=$(_squid_auth "${kind#squid-}" "$5") || return ;;
	esac
	[ "$kind" = "$2" ] || extra+=$'\nhttp_access deny CONNECT' # once it is known who asks, as most do
	{
		_squid_common "$5" "$port" "$ports"
		printf '%s\nhttp_access allow near\nhttp_access deny all\n' "$extra"
	} >"$5/squid.conf"
	PROXY_LOG[$1]=$5/access.log
	_own "$5"
	AS=nobody launch "$1" squid -N -f "$5/squid.conf"
}

_count_squid() {
	awk '$6 == "CONNECT" { connects++; if ($4 ~ /^TCP_TUNNEL\//) tunnels++; next }
		$4 !~ /^TCP_DENIED/ && $7 !~ /^error:/ { exchanges++ }
		END { print connects + 0, tunnels + 0, exchanges + 0 }'
}
