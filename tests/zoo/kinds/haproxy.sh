# HAProxy in front of the server, with the time-outs of Debian's haproxy.cfg: it ends TLS with a certificate of its own for
# localhost and speaks TLS to the server, verified. haproxy-nodelay: with option http-no-delay.

_start_haproxy() { # NAME KIND PORTS CA DIR PORT
	local more=
	[ "$2" != haproxy-nodelay ] || more="option http-no-delay"
	$PYTHON "$PROXIES/authority.py" "$5" localhost || return
	cat "$5/localhost.crt" "$5/localhost.key" >"$5/front.pem"
	cat >"$5/haproxy.cfg" <<-CONF
		global
			maxconn 1000
			log stdout format raw daemon
		defaults
			mode http
			log global
			log-format "%t %ci exchange %HM %HP %ST %U %B %Ta"
			option dontlognull
			timeout connect 5000
			timeout client 50000
			timeout server 50000
			$more
		frontend in
			bind 127.0.0.1:$6 ssl crt $5/front.pem alpn h2,http/1.1
			option forwardfor
			default_backend server
		backend server
			server culvertd 127.0.0.1:$3 ssl verify required ca-file $4 verifyhost localhost sni str(localhost)
	CONF
	PROXY_CA[$1]=$5/ca.crt PROXY_LOG[$1]=$W/$1.out
	_own "$5"
	AS=nobody launch "$1" haproxy -db -f "$5/haproxy.cfg"
}

_count_haproxy() { _count_events; }
