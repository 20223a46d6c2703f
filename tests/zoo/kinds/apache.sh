# Apache httpd as a forward proxy, with the modules and time-outs that Debian switches on. apache-abs: CONNECT to 443 only, as
# shipped. apache-digest: wants a password (alice, secret); APACHE_NONCE: seconds that a nonce lives.

_apache_digest() { # DIR
	printf 'alice:test:%s\n' "$(printf 'alice:test:secret' | md5sum | cut -d ' ' -f 1)" >"$1/digests"
	cat <<-CONF
		AuthType Digest
		AuthName test
		AuthDigestProvider file
		AuthUserFile $1/digests
		AuthDigestNonceLifetime ${APACHE_NONCE:-300}
		Require valid-user
	CONF
}

_start_apache() { # NAME KIND PORTS CA DIR PORT
	local module ports=$3 who="Require local" more=
	case $2 in *-abs) ports="443 563" ;; esac
	case $2 in apache-digest*) more="authn_file authz_user auth_digest" who=$(_apache_digest "$5") ;; esac
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
		for module in mpm_event authn_core authz_core authz_host env filter deflate reqtimeout proxy proxy_http proxy_connect $more; do
			echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"
		done
		cat <<-CONF
			RequestReadTimeout header=20-40,minrate=500
			RequestReadTimeout body=10,minrate=500
			AddOutputFilterByType DEFLATE text/html text/plain text/xml text/css application/javascript
			CustomLog $5/access.log "%h %m %>s %U %u"
			ProxyRequests On
			ProxyVia On
			AllowCONNECT $ports
			<Proxy "*">
				$who
			</Proxy>
		CONF
	} >"$5/httpd.conf"
	PROXY_LOG[$1]=$5/access.log
	_own "$5"
	AS=nobody launch "$1" apache2 -DFOREGROUND -f "$5/httpd.conf"
}

_count_apache() { # a tunnel is written down when it ends
	awk '$2 == "CONNECT" { connects++; if ($3 == 200) tunnels++; next } $3 != "-" && $3 != 407 && $2 != "-" { exchanges++ }
		END { print connects + 0, tunnels + 0, exchanges + 0 }'
}
