# nginx in front of the server, at its stock settings: it ends TLS with a certificate of its own for localhost, reads each
# request whole, buffers answers unless told otherwise, speaks HTTP/1.0 to the server, by TLS that it verifies.
# nginx-tuned: the settings that our page for administrators asks for. nginx-upgrade: stock, but WebSockets pass.

_nginx_tuned() {
	cat <<-CONF
		proxy_http_version 1.1;
		proxy_buffering off;
		proxy_request_buffering off;
		client_max_body_size 0;
		proxy_read_timeout 1h;
	CONF
}

_nginx_upgrade() {
	cat <<-'CONF'
		proxy_http_version 1.1;
		proxy_set_header Upgrade $http_upgrade;
		proxy_set_header Connection $http_connection;
	CONF
}

_start_nginx() { # NAME KIND PORTS CA DIR PORT
	local more=
	[ "$2" != nginx-tuned ] || more=$(_nginx_tuned)
	[ "$2" != nginx-upgrade ] || more=$(_nginx_upgrade)
	$PYTHON "$PROXIES/authority.py" "$5" localhost || return
	mkdir -p "$5/tmp"
	cat >"$5/nginx.conf" <<-CONF
		daemon off;
		pid $5/nginx.pid;
		error_log $5/error.log;
		worker_processes 1;
		events { worker_connections 512; }
		http {
			log_format zoo '\$time_iso8601 \$remote_addr exchange \$request_method \$uri \$status \$request_length \$bytes_sent';
			access_log $5/access.log zoo;
			client_body_temp_path $5/tmp/body;
			proxy_temp_path $5/tmp/proxy;
			fastcgi_temp_path $5/tmp/fcgi;
			uwsgi_temp_path $5/tmp/uwsgi;
			scgi_temp_path $5/tmp/scgi;
			gzip on;
			server {
				listen 127.0.0.1:$6 ssl http2;
				ssl_certificate $5/localhost.crt;
				ssl_certificate_key $5/localhost.key;
				location / {
					proxy_pass https://127.0.0.1:$3;
					proxy_ssl_verify on;
					proxy_ssl_trusted_certificate $4;
					proxy_ssl_name localhost;
					proxy_ssl_server_name on;
					$more
				}
			}
		}
	CONF
	PROXY_CA[$1]=$5/ca.crt PROXY_LOG[$1]=$5/access.log
	_own "$5"
	AS=nobody launch "$1" nginx -e "$5/error.log" -p "$5" -c "$5/nginx.conf"
}

_count_nginx() { _count_events; }
