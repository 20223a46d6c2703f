# tinyproxy as Debian ships it, but for ports and paths. tinyproxy-abs: CONNECT denied.

_start_tinyproxy() { # NAME KIND PORTS CA DIR PORT
	local ports=$3
	[ "$2" != tinyproxy-abs ] || ports=0 # to none
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
		$(printf 'ConnectPort %s\n' $ports)
	CONF
	PROXY_LOG[$1]=$5/tinyproxy.log
	_own "$5"
	AS=nobody launch "$1" tinyproxy -d -c "$5/tinyproxy.conf"
}

_count_tinyproxy() {
	awk '/ Request \(file descriptor [0-9]+\): / { if ($0 ~ /: CONNECT /) connects++; else exchanges++ }
		/ Not sending client headers to remote machine/ { tunnels++ }
		END { print connects + 0, tunnels + 0, exchanges + 0 }'
}
