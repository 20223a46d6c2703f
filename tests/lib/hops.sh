# Sourced after proxies.sh: proxies that are hops of a chain, and are not in the zoo.
#
#   hop_dante NAME                       SOCKS5 without authentication (danted)
#   hop_microsocks NAME USER PASSWORD    SOCKS5 that wants user and password (microsocks)
#   hop_https NAME PORT                  TLS in front of the proxy at that port (haproxy), with a certificate for localhost
#   hop_squid_https NAME PORTS           Squid that is spoken to by TLS itself
#
# After each: ${PROXY_PORT[NAME]}; proxy_stop ends it; with TLS ${PROXY_CA[NAME]} signed the certificate.

_hop_up() { # NAME COMMAND...: launches, until it answers
	local name=$1
	shift
	AS=nobody launch "$name" "$@"
	await 20 _proxy_up "$name" "${PROXY_PORT[$name]}" && running "$name" || fail "$name did not start"
}

_hop_begin() { # NAME
	PROXY_HOST=127.0.0.1
	PROXY_PORT[$1]=$(free_port)
	PROXY_KIND[$1]=hop PROXY_LOG[$1]=$W/$1.out
	mkdir -p "$W/$1"
}

hop_dante() { # NAME
	_hop_begin "$1"
	cat >"$W/$1/danted.conf" <<-CONF
		logoutput: stdout
		internal: 127.0.0.1 port = ${PROXY_PORT[$1]}
		external: 127.0.0.1
		clientmethod: none
		socksmethod: none
		user.privileged: $(id -un)
		user.unprivileged: $(id -un)
		client pass {
			from: 127.0.0.0/8 to: 0.0.0.0/0
			log: error
		}
		socks pass {
			from: 127.0.0.0/8 to: 0.0.0.0/0
			command: connect
			log: connect error
		}
	CONF
	AS='' launch "$1" danted -f "$W/$1/danted.conf" -p "$W/$1/danted.pid"
	await 20 _proxy_up "$1" "${PROXY_PORT[$1]}" && running "$1" || fail "$1 did not start"
}

hop_microsocks() { # NAME USER PASSWORD
	_hop_begin "$1"
	_hop_up "$1" microsocks -i 127.0.0.1 -p "${PROXY_PORT[$1]}" -u "$2" -P "$3"
}

# A certificate for localhost, signed by a new CA, and both with its key in front.pem.
_hop_certificate() { # NAME
	$PYTHON "$PROXIES/authority.py" "$W/$1" localhost || fail "no certificate"
	cat "$W/$1/localhost.crt" "$W/$1/localhost.key" >"$W/$1/front.pem"
	PROXY_CA[$1]=$W/$1/ca.crt
	_own "$W/$1"
}

hop_https() { # NAME PORT
	_hop_begin "$1"
	cat >"$W/$1/haproxy.cfg" <<-CONF
		global
			maxconn 1000
			log stdout format raw daemon
		defaults
			mode tcp
			log global
			timeout connect 5s
			timeout client 60s
			timeout server 60s
		frontend in
			bind 127.0.0.1:${PROXY_PORT[$1]} ssl crt $W/$1/front.pem
			default_backend proxy
		backend proxy
			server proxy 127.0.0.1:$2
	CONF
	_hop_certificate "$1"
	_hop_up "$1" haproxy -db -f "$W/$1/haproxy.cfg"
}

hop_squid_https() { # NAME PORTS
	_hop_begin "$1"
	_squid_common "$W/$1" "${PROXY_PORT[$1]}" "$2" | sed "s,^http_port .*,https_port 127.0.0.1:${PROXY_PORT[$1]} tls-cert=$W/$1/front.pem," >"$W/$1/squid.conf"
	printf 'http_access allow near\nhttp_access deny all\n' >>"$W/$1/squid.conf"
	PROXY_LOG[$1]=$W/$1/access.log
	_hop_certificate "$1"
	_hop_up "$1" squid -N -f "$W/$1/squid.conf"
}
