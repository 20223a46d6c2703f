#!/usr/bin/env bash
# The page for proxy administrators: its configurations pass the programs' own checks, spoilt ones do not, and a helper gets through them.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
PAGE=$TOP/client/PROXY-ADMINS.md
PORT=$(free_port)
setup_echo

# The code of that kind, with the names, files and ports that exist here.
snippet() { # KIND
	sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$PAGE" | sed -e '/^```/d' -e "s,/etc/ssl/tunnel,$W/tls,g" \
		-e "s,/etc/ssl/certs/ca-certificates.crt,$W/server.crt,; s/127.0.0.1:8443/127.0.0.1:$SERVER_PORT/; s/tunnel\.example/localhost/g" \
		-e "s/^acl culvert_port port 443/acl culvert_port port $SERVER_PORT/; s/^    Require ip /&127.0.0.1 /" \
		-e "s/^AllowCONNECT 443/AllowCONNECT $SERVER_PORT/; s/<Proxy \"localhost:443\">/<Proxy \"localhost:$SERVER_PORT\">/" \
		-e "s/listen 443/listen 127.0.0.1:$PORT/" -e "s/bind :443/bind 127.0.0.1:$PORT/" -e "s/\*:443/127.0.0.1:$PORT/"
}

mkdir -p "$W/tls" "$W/apache" "$W/squid"
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=proxy in front" -addext "subjectAltName=DNS:localhost" \
	-keyout "$W/tls/privkey.pem" -out "$W/tls/fullchain.pem" 2>/dev/null || fail "no certificate"
cat "$W/tls/fullchain.pem" "$W/tls/privkey.pem" >"$W/tls/haproxy.pem"

# ---- what stands around a snippet, and the check of each program ----

squid_base() { # PORT-OPTIONS
	printf 'http_port 127.0.0.1:%s\npid_filename none\nvisible_hostname proxy.test\ncoredump_dir %s\n' "$PORT $1" "$W/squid"
	printf 'cache_log %s/squid/cache.log\naccess_log stdio:%s/squid/access.log\npinger_enable off\nnetdb_filename none\nshutdown_lifetime 0 seconds\n' "$W" "$W"
}

squid_check() { # FILE: no complaint of any kind
	squid -k parse -f "$1" >"$1.said" 2>&1 && ! grep -E "ERROR|FATAL|WARNING|Bungled|obsolete" "$1.said"
}

config_squid() { squid_base ""; cat; printf 'http_access deny all\n'; }
config_squid-bump() {
	squid_base "ssl-bump cert=$W/tls/haproxy.pem generate-host-certificates=on"
	printf 'sslcrtd_program /usr/lib/squid/security_file_certgen -s %s/squid/certificates -M 4MB\n' "$W"
	cat
	printf 'ssl_bump bump all\nhttp_access allow localhost\nhttp_access deny all\n'
}
config_squid-icap() {
	squid_base ""
	printf 'icap_enable on\nicap_service scan_request reqmod_precache icap://127.0.0.1:1344/request\n'
	printf 'icap_service scan_answer respmod_precache icap://127.0.0.1:1344/answer\n'
	cat
	printf 'adaptation_access scan_request allow all\nadaptation_access scan_answer allow all\nhttp_access deny all\n'
}
check_squid() { squid_check "$1"; }
check_squid-bump() { squid_check "$1"; }
check_squid-icap() { squid_check "$1"; }

config_nginx() {
	local part
	printf 'pid %s/nginx.pid;\nerror_log stderr;\nevents { }\nhttp {\naccess_log off;\n' "$W"
	for part in client_body proxy fastcgi uwsgi scgi; do
		printf '%s_temp_path %s/nginx-%s;\n' $part "$W" $part
	done
	cat
	printf '}\n'
}
check_nginx() { nginx -t -q -e stderr -c "$1" >"$1.said" 2>&1 && [ ! -s "$1.said" ]; }

config_haproxy() { printf 'global\n    maxconn 100\ndefaults\n    timeout http-request 10s\n'; cat; }
config_haproxy-tcp() { printf 'global\n    maxconn 100\n'; cat; }
check_haproxy() { haproxy -c -f "$1" >"$1.said" 2>&1 && ! grep -E "WARNING|ALERT" "$1.said"; }
check_haproxy-tcp() { check_haproxy "$1"; }

apache_base() { # MODULE...
	printf 'ServerRoot %s/apache\nServerName proxy.test\nPidFile %s/apache/pid\nErrorLog %s/apache/error.log\nListen 127.0.0.1:%s\n' "$W" "$W" "$W" "$PORT"
	printf 'DefaultRuntimeDir %s/apache\n' "$W"
	for module in mpm_event authz_core authz_host proxy "$@"; do
		printf 'LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n' "$module" "$module"
	done
}
config_apache() { apache_base proxy_http socache_shmcb ssl setenvif reqtimeout; cat; }
config_apache-forward() { apache_base proxy_connect; cat; }
check_apache() { apache2 -t -f "$1" >"$1.said" 2>&1 && grep -q "Syntax OK" "$1.said" && ! grep -E "AH[0-9]+|warn" "$1.said"; }
check_apache-forward() { check_apache "$1"; }

# ---- the checks ----

seen=$(sed -n 's/^```\([a-z-][a-z-]*\)$/\1/p' "$PAGE" | sort | tr '\n' ' ')
[ "$seen" = "apache apache-forward haproxy haproxy-tcp nginx squid squid-bump squid-icap " ] || fail "other snippets than expected: $seen"
for kind in $seen; do
	snippet "$kind" >"$W/$kind.snippet"
	[ "$(wc -l <"$W/$kind.snippet")" -ge 3 ] || fail "$kind: no snippet"
	"config_$kind" <"$W/$kind.snippet" >"$W/$kind.conf"
	"check_$kind" "$W/$kind.conf" || fail "$kind: $(cat "$W/$kind.conf.said")"
	# Each line of it matters to the check: one misspelt option, and it fails.
	while read -r number; do
		awk -v n="$number" 'NR == n { sub(/[a-zA-Z_]+/, "&_misspelt") } { print }' "$W/$kind.snippet" | "config_$kind" >"$W/$kind.bad.conf"
		! "check_$kind" "$W/$kind.bad.conf" >/dev/null || fail "$kind: line $number misspelt was not noticed"
	done < <(grep -n -E "^ *[a-zA-Z_]" "$W/$kind.snippet" | grep -v -E ":(acl|frontend|backend) | (acl|frontend|backend) " | cut -d: -f1)
	note "$kind: in order"
done

# ---- a helper through each of them ----

goes() { # KIND RUNG proxy|front|through PROGRAM...: a helper that knows only this rung gets through
	local kind=$1 rung=$2
	shift 2
	"config_$kind" < <(snippet "$kind") >"$W/$kind.conf"
	case $2 in
	squid | apache2) AS=nobody launch "$kind" "${@:2}" ;;
	*) launch "$kind" "${@:2}" ;;
	esac
	await 10 answers "$PORT" || fail "$kind does not listen: $(cat "$W/$kind.err")"
	case $1 in
	proxy) helper_echo "helper-$kind" --proxy "http://127.0.0.1:$PORT" --rung "$rung" ;;
	front) helper_echo "helper-$kind" --server "https://localhost:$PORT" --cafile "$W/tls/fullchain.pem" --rung "$rung" ;;
	through) helper_echo "helper-$kind" --server "https://localhost:$PORT" --rung "$rung" ;;
	esac
	expect "helper-$kind" 15 "connected to .* by $rung"
	passes 5 || fail "$kind: no datagram came back"
	stop_expecting "helper-$kind" 0
	stop "$kind" || :
	await 5 closed || fail "$kind still listens"
	note "$kind: $rung"
}

closed() { ! answers "$PORT"; }

/usr/lib/squid/security_file_certgen -c -s "$W/squid/certificates" -M 4MB >/dev/null || fail "no store of certificates"
[ "$(id -u)" -ne 0 ] || chown -R nobody "$W/squid" "$W/apache" "$W/tls"
goes squid duplex proxy squid -N -f "$W/squid.conf"
# Spliced: the helper, which trusts no other, sees the server's own certificate.
goes squid-bump duplex proxy squid -N -f "$W/squid-bump.conf"
goes nginx duplex front nginx -e stderr -g "daemon off;" -c "$W/nginx.conf"
goes haproxy duplex front haproxy -db -f "$W/haproxy.conf"
goes haproxy-tcp duplex through haproxy -db -f "$W/haproxy-tcp.conf"
goes apache-forward duplex proxy apache2 -DFOREGROUND -f "$W/apache-forward.conf"
goes apache push front apache2 -DFOREGROUND -f "$W/apache.conf"

# What the page says of requests and answers is what they are.
for word in "User-Agent: %s" "Content-Type: application/octet-stream" "Cache-Control: no-store"; do
	grep -q "$word" "$TOP/tunnel/carrier_path.c" || fail "the helper does not send $word"
done
for word in "Server: culvertd/" "Cache-Control: no-store, no-transform" "X-Accel-Buffering: no" "Incremental: ?1" "text/event-stream"; do
	grep -q "$word" "$TOP/tunnel/leg.c" || fail "the server does not send $word"
	grep -q "${word%: *}" "$PAGE" || fail "the page does not tell of $word"
done
