# A web server in front of culvertd --listen-clear: it ends TLS with a certificate of its own for localhost, and speaks cleartext to
# the server. PROGRAM is nginx, haproxy, apache or nghttpx.
#   PROGRAM-front         by the configuration of server/REVERSE-PROXIES.md, taken from there as it stands
#   PROGRAM-front-h2c     the same, with HTTP/2 behind it, too
#   PROGRAM-front-stock   no more than what passes requests on, in Debian's defaults
# ...-h1: the same; the helper is told to speak HTTP/1.1. node-front: tests/proxies/node_front.js, with NODE_FRONT="NAME=VALUE ...".
# FRONT_EDIT: a sed script over the configuration, for one that differs in something. Sourced files may use
#   front_block PROGRAM   the page's configuration, unchanged
#   front_reload NAME     what an administrator's reload does
#   proxy_connections NAME  how many connections its log has since the mark
#   proxy_versions NAME   versions of HTTP in its log since the mark: "1.1+2.0"

FRONT_PAGE=$TOP/server/REVERSE-PROXIES.md
FRONT_MODULES="mpm_event authn_core authz_core authz_host env filter deflate headers setenvif reqtimeout socache_shmcb ssl http2 proxy proxy_http proxy_http2"

_front_program() { # KIND
	echo "${1%%-*}"
}

front_block() { # PROGRAM
	sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$FRONT_PAGE" | grep -v '^```' || fail "the page has nothing for $1"
}

# With the files, names and ports that exist here.
_front_here() { # DIR PORT SERVER-PORT
	local at=${PROXY_HOST:-127.0.0.1}
	sed -e "s,/etc/ssl/tunnel,$1,g; s/tunnel\.example/$(_front_name)/g; s/127\.0\.0\.1\([:,]\)8080/127.0.0.1\1$3/g" \
		-e "s/listen 443/listen $at:$2/; s/bind :443/bind $at:$2/; s/\*:443/$at:$2/; s/^frontend=\*,443/frontend=$at,$2/"
}

_front_name() {
	[ "${PROXY_HOST:-127.0.0.1}" = 127.0.0.1 ] && echo localhost || echo "$PROXY_HOST"
}

# ---- what stands around it: where things lie, what is logged, what Debian has switched on ----

front_base_nginx() { # DIR PORT
	local part
	printf 'daemon off;\npid %s/nginx.pid;\nerror_log %s/error.log;\nworker_processes 1;\nevents { worker_connections 512; }\nhttp {\n' "$1" "$1"
	printf "log_format front '%s';\naccess_log %s/access.log front;\n" \
		'$time_iso8601 $remote_addr:$remote_port exchange $request_method $uri $status $server_protocol' "$1"
	for part in client_body proxy fastcgi uwsgi scgi; do
		printf '%s_temp_path %s/nginx-%s;\n' $part "$1" $part
	done
	printf 'gzip on;\n'
	cat
	printf '}\n'
}

front_base_haproxy() { # DIR PORT
	cat <<-CONF
		global
		    maxconn 1000
		    log stdout format raw daemon
		    stats socket $1/admin level admin expose-fd listeners
		defaults
		    log global
		    mode http
		    option dontlognull
		    log-format "%Ts %ci:%cp exchange %HM %HP %ST %HV"
		    timeout connect 5000
		    timeout client 50000
		    timeout server 50000
	CONF
	cat
}

front_base_apache() { # DIR PORT
	local module
	cat <<-CONF
		ServerRoot $1
		ServerName proxy.test
		Listen ${PROXY_HOST:-127.0.0.1}:$2
		PidFile $1/httpd.pid
		ErrorLog $1/error.log
		DefaultRuntimeDir $1
		Timeout 300
		KeepAlive On
		MaxKeepAliveRequests 100
		KeepAliveTimeout 5
	CONF
	for module in $FRONT_MODULES; do
		echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"
	done
	cat <<-CONF
		RequestReadTimeout header=20-40,minrate=500
		RequestReadTimeout body=10,minrate=500
		AddOutputFilterByType DEFLATE text/html text/plain text/xml text/css application/javascript
		CustomLog $1/access.log "%{sec}t %h:%{remote}p exchange %m %U %>s %H"
	CONF
	cat
}

front_base_nghttpx() { # DIR PORT
	printf 'pid-file=%s/nghttpx.pid\nerrorlog-file=%s/error.log\naccesslog-file=%s/access.log\nworkers=1\n' "$1" "$1" "$1"
	printf 'accesslog-format=$time_iso8601 $remote_addr:$remote_port exchange $method $path $status $alpn\n'
	cat
}

# ---- stock: what everybody writes first ----

_front_stock_nginx() {
	cat <<-'CONF'
		server {
		    listen 443 ssl http2;
		    ssl_certificate     /etc/ssl/tunnel/fullchain.pem;
		    ssl_certificate_key /etc/ssl/tunnel/privkey.pem;
		    location / {
		        proxy_pass http://127.0.0.1:8080;
		    }
		}
	CONF
}

_front_stock_haproxy() {
	cat <<-'CONF'
		frontend https_in
		    bind :443 ssl crt /etc/ssl/tunnel/haproxy.pem alpn h2,http/1.1
		    default_backend culvertd
		backend culvertd
		    server culvertd 127.0.0.1:8080
	CONF
}

_front_stock_apache() {
	cat <<-'CONF'
		<VirtualHost *:443>
		    Protocols h2 http/1.1
		    SSLEngine on
		    SSLCertificateFile /etc/ssl/tunnel/fullchain.pem
		    SSLCertificateKeyFile /etc/ssl/tunnel/privkey.pem
		    ProxyPass "/" "http://127.0.0.1:8080/"
		</VirtualHost>
	CONF
}

_front_stock_nghttpx() {
	cat <<-'CONF'
		frontend=*,443
		backend=127.0.0.1,8080
		private-key-file=/etc/ssl/tunnel/privkey.pem
		certificate-file=/etc/ssl/tunnel/fullchain.pem
	CONF
}

front_base_node() { # DIR PORT: it has options only
	cp "$PROXIES/node_front.js" "$1/" # nobody may not be let into where the project lies
}

# ---- HTTP/2 behind it ----

_front_h2c() {
	sed -e 's/^    server culvertd 127.*/& proto h2/; s,http://127.0.0.1:8080/culvert/" upgrade=websocket,h2c://127.0.0.1:8080/culvert/",' \
		-e 's/^backend=127.0.0.1,8080/&;;proto=h2/'
}

# ---- start and logs ----

_front_config() { # KIND DIR PORT SERVER-PORT
	local program kind=${1%-h1}
	program=$(_front_program "$kind")
	case $kind in
	node-*) ;;
	*-stock) "_front_stock_$program" ;;
	*-h2c) front_block "$program" | _front_h2c ;;
	*) front_block "$program" ;;
	esac | _front_here "$2" "$3" "$4" | "front_base_$program" "$2" "$3" | sed -e "${FRONT_EDIT:-}"
}

front_certificate() { # DIR
	local name
	name=$(_front_name)
	$PYTHON "$PROXIES/authority.py" "$1" "$name" || return
	cp "$1/$name.crt" "$1/fullchain.pem" && cp "$1/$name.key" "$1/privkey.pem" && cat "$1/$name.crt" "$1/$name.key" >"$1/haproxy.pem"
}

_start_front() { # NAME KIND PORTS CA DIR PORT
	local program
	program=$(_front_program "$2")
	[ -s "$5/haproxy.pem" ] || front_certificate "$5" || return # one that comes back has the same
	_front_config "$2" "$5" "$6" "$3" >"$5/front.conf"
	PROXY_CA[$1]=$5/ca.crt PROXY_LOG[$1]=$5/access.log
	case $program in haproxy | node) PROXY_LOG[$1]=$W/$1.out ;; esac
	_own "$5"
	AS=nobody launch "$1" $(_front_command "$program" "$5" "$6" "$3")
}

_front_command() { # PROGRAM DIR PORT SERVER-PORT
	case $1 in
	nginx) echo nginx -e "$2/error.log" -p "$2" -c "$2/front.conf" ;;
	haproxy) echo haproxy -W -db -f "$2/front.conf" ;;
	apache) echo apache2 -DFOREGROUND -f "$2/front.conf" ;;
	nghttpx) echo nghttpx "--conf=$2/front.conf" ;;
	node) echo node "$2/node_front.js" "dir=$2" "port=$3" "to=$4" ${NODE_FRONT:-} ;;
	esac
}

_count_front() { _count_events; }

front_reload() { # NAME
	local pid=${PID[$1]}
	case ${PROXY_KIND[$1]} in
	apache-*) kill -USR1 "$pid" ;;
	haproxy-*) kill -USR2 "$pid" ;;
	*) kill -HUP "$pid" ;;
	esac
}

proxy_connections() { # NAME
	_log_lines "$1" | awk '$3 == "exchange" { print $2 }' | sort -u | wc -l
}

proxy_versions() { # NAME
	[ "$(_family_of "${PROXY_KIND[$1]}")" = front ] || return 0
	_log_lines "$1" | awk '$3 == "exchange" { print $NF }' | sed -e 's,^HTTP/,,; s/^h2$/2.0/; s/^http\/1.1$/1.1/' | sort -u | paste -sd +
}
