# Privoxy with Debian's default actions and filters, text filtered: a CONNECT tunnel passes it unseen. privoxy-abs: CONNECT denied.

_start_privoxy() { # NAME KIND PORTS CA DIR PORT
	local ports
	ports=$(tr -s ' ' , <<<"$3")
	[ "$2" != privoxy-abs ] || ports=,
	cat >"$5/ports.action" <<-CONF
		{+limit-connect{$ports} +filter{js-annoyances} +filter{html-annoyances} +filter{webbugs}}
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
