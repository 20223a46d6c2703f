# Apache httpd as a forward proxy, with the modules and time-outs that Debian switches on. apache-abs: CONNECT to 443 only, as
# shipped.

_start_apache() { # NAME KIND PORTS CA DIR PORT
	local module ports=$3
	[ "$2" != apache-abs ] || ports="443 563"
	{
		cat <<-CONF
			ServerRoot $5
			ServerName proxy.test
			Listen 127.0.0.1:$6
			PidFile $5/httpd.pid
			ErrorLog $5/error.log
			DefaultRuntimeDir $5
			Timeout 300
			KeepAlive On
			MaxKeepAliveRequests 100
			KeepAliveTimeout 5
		CONF
		for module in mpm_event authn_core authz_core authz_host env filter deflate reqtimeout proxy proxy_http proxy_connect; do
			echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"
		done
		cat <<-CONF
			RequestReadTimeout header=20-40,minrate=500
			RequestReadTimeout body=10,minrate=500
			AddOutputFilterByType DEFLATE text/html text/plain text/xml text/css application/javascript
			CustomLog $5/access.log "%h %m %>s %U"
			ProxyRequests On
			ProxyVia On
			AllowCONNECT $ports
			<Proxy "*">
				Require local
			</Proxy>
		CONF
	} >"$5/httpd.conf"
	PROXY_LOG[$1]=$5/access.log
	_own "$5"
	AS=nobody launch "$1" apache2 -DFOREGROUND -f "$5/httpd.conf"
}

_count_apache() { # a tunnel is written down when it ends
	awk '$2 == "CONNECT" { connects++; if ($3 == 200) tunnels++; next } $3 != "-" && $2 != "-" { exchanges++ }
		END { print connects + 0, tunnels + 0, exchanges + 0 }'
}
