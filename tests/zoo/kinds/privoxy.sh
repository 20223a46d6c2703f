# Privoxy with Debian's default actions and filters, text filtered: a CONNECT tunnel passes it unseen. privoxy-abs: CONNECT denied.
# privoxy-inspect: it intercepts TLS (https-inspection). privoxy-transparent: clients do not know of it (accept-intercepted-requests);
# it answers a WebSocket with 101, and then passes nothing.

_privoxy_inspect() { # DIR UPSTREAM-CA
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=privoxy CA" -addext "basicConstraints=critical,CA:TRUE" \
		-addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$1/ca.key" -out "$1/ca.crt" 2>/dev/null
	mkdir -p "$1/certificates"
	cat <<-CONF
		ca-directory $1
		ca-cert-file ca.crt
		ca-key-file ca.key
		certificate-directory $1/certificates
		trusted-cas-file $2
	CONF
}

_start_privoxy() { # NAME KIND PORTS CA DIR PORT
	local ports actions more=
	ports=$(tr -s ' ' , <<<"$3")
	[ "$2" != privoxy-abs ] || ports=,
	actions="+limit-connect{$ports} +filter{js-annoyances} +filter{html-annoyances} +filter{webbugs}"
	if [ "$2" = privoxy-inspect ]; then
		more=$(_privoxy_inspect "$5" "$4") || return
		actions+=" +https-inspection"
		PROXY_CA[$1]=$5/ca.crt
	elif [ "$2" = privoxy-transparent ]; then
		more="accept-intercepted-requests 1"
	fi
	cat >"$5/ports.action" <<-CONF
		{$actions}
		/
	CONF
	cat >"$5/config" <<-CONF
		confdir /etc/privoxy
		logdir $5
		filterfile default.filter
		actionsfile match-all.action
		actionsfile default.action
		actionsfile $5/ports.action
		debug 1
		debug 512
		debug 1024
		debug 4096
		debug 8192
		listen-address 127.0.0.1:$6
		toggle 1
		enable-remote-toggle 0
		enable-edit-actions 0
		buffer-limit 4096
		keep-alive-timeout 5
		socket-timeout 300
		$more
	CONF
	PROXY_LOG[$1]=$W/$1.err # where it writes in the foreground
	_own "$5"
	AS=nobody launch "$1" privoxy --no-daemon --pidfile "$5/privoxy.pid" "$5/config"
}

_count_privoxy() {
	awk '/ "CONNECT [^"]*" 200 / { connects++; tunnels++; next } / "CONNECT / { connects++; next }
		/ "(GET|HEAD|POST|PUT) [^"]*" [0-9]/ { exchanges++ }
		END { print connects + 0, tunnels + 0, exchanges + 0 }'
}
