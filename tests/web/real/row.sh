#!/usr/bin/env bash
# One row of `make web-real`: row.sh KIND FILE. Janus' and SIP's own clients in Chromium through one proxy, with the native WebSocket and with
# CulvertSocket; writes a line of JSON for each run. By the environment: REAL_CLIENTS, REAL_MODES (which), REAL_DIR (where it works; stays).
[ -n "${IN_NAMESPACE:-}" ] || NO_LINK=1 IN_NAMESPACE=1 exec "$(dirname "$0")/../../lib/namespace.sh" "$0" "$@"
. "$(dirname "$0")/rows.sh"
. "$(dirname "$0")/../../lib/harness.sh"
. "$TOP/tests/lib/culvert.sh"
. "$TOP/tests/lib/proxies.sh"
. "$TOP/tests/web/servers.sh"
set -u
KIND=$1 FILE=$2
PAGES=${PAGES:-$TOP/build/web-real}
work_begin "${REAL_DIR:-}"

# Media: neither Janus nor a browser offers addresses of the loopback.
ip link add media0 type veth peer name media1 && ip address add 10.99.0.1/24 dev media0 &&
	for each in media0 media1; do echo 1 >/proc/sys/net/ipv6/conf/$each/disable_ipv6; ip link set $each up; done || fail "no interface for media"

real_servers() {
	credentials_make
	janus_start janus
	kamailio_start kamailio
	app_start app "$PAGES"
	cat >"$W/culvertd.conf" <<-CONF
		rest = true
		origins = { "http://localhost:$(port_of "$APP_AT")" }
		fallback = "http://$APP_AT"
		service janus { target = "ws://$JANUS_AT/" }
		service sip { target = "ws://$KAMAILIO_AT/" }
	CONF
	SERVER_CLEAR=1 server_start culvertd -c "$W/culvertd.conf"
}

# Sets AT (what a page knows culvertd by), VIA (the browser's proxy), TRUST and ARGS (of the browser).
real_proxy() {
	local mode ports="443 $SERVER_PORT"
	ARGS=
	mode=$(proxy_mode "$KIND")
	[ "$mode" != reverse ] || ports=$SERVER_PORT
	STOREFWD_OPTIONS=${STOREFWD_OPTIONS:---per-client 8} # of two, a browser's own spare connection takes one, and then no page loads
	proxy_start proxy "$KIND" "$ports" "$W/server.crt"
	VIA=http://localhost:${PROXY_PORT[proxy]} TRUST=$W/server.crt AT=https://localhost:$SERVER_PORT
	case $mode in
	reverse) VIA= AT=https://localhost:${PROXY_PORT[proxy]} ;;
	absolute) AT=http://localhost:$SERVER_CLEAR_PORT ;;
	transparent) # as a router that redirects connections does
		VIA= AT=http://localhost:$SERVER_CLEAR_PORT
		ARGS="--host-resolver-rules=MAP localhost:$SERVER_CLEAR_PORT 127.0.0.1:${PROXY_PORT[proxy]}"
		;;
	esac
	[ -z "${PROXY_CA[proxy]:-}" ] || real_shown "${AT##*:}" "${PROXY_CA[proxy]}"
}

# The certificate that the proxy shows, which its CA must have signed.
real_shown() { # PORT CA
	TRUST=$W/shown.crt
	openssl s_client ${VIA:+-proxy "${VIA#http://}"} -connect "localhost:$1" -servername localhost -verify_hostname localhost -CAfile "$2" -verify_return_error \
		</dev/null 2>"$W/shown.err" | openssl x509 -out "$TRUST" 2>/dev/null || fail "what $KIND shows is not signed by its CA: $(tail -n 3 "$W/shown.err")"
}

real_token() { # SERVICE
	"$CULVERTD" jwt --token-file "$W/token" --service "$1" --expires 600
}

# What it did not see into it passed as tunnels; what it did see, it says.
real_seen() {
	local seen connects tunnels exchanges
	seen=$(grep -c "/culvert/v1/" "${PROXY_LOG[proxy]}")
	read -r connects tunnels exchanges < <(proxy_count proxy)
	if [ "$(proxy_mode "$KIND")" = connect ]; then
		[ "$seen" -eq 0 ] && [ "$tunnels" -gt 0 ] || fail "$KIND: $tunnels tunnels, $seen exchanges seen"
	else
		[ "$tunnels" -eq 0 ] && [ "$seen" -gt 0 ] || fail "$KIND: $tunnels tunnels, $seen exchanges seen"
	fi
}

real_servers
real_proxy
modes=${REAL_MODES:-native culvert}
[ "$(real_column "$KIND" 3)" != native ] || modes=${modes/culvert/culvert fallback}
rc=0
$PYTHON "$WEB/real/real.py" --kind "$KIND" --proxy "$VIA" --trust "$TRUST" --browser "$ARGS" --page "http://localhost:$(port_of "$APP_AT")" --at "$AT" \
	--profile "$W/profile" --token "janus=$(real_token janus)" --token "sip=$(real_token sip)" \
	--expect "native=$(real_column "$KIND" 2)" --expect "culvert=$(real_column "$KIND" 3)" --expect "fallback=$(real_column "$KIND" 4)" \
	--clients "${REAL_CLIENTS:-janus jssip sipjs}" --modes "$modes" >"$W/lines.json" 2>"$W/real.err" || rc=$?
rm -rf "$W/profile"
[ -s "$W/lines.json" ] || fail "no run: $(tail -n 5 "$W/real.err")"
cp "$W/lines.json" "$FILE"
[ "$modes" = native ] || real_seen
stop culvertd || fail "culvertd ended with status $?: $(tail -n 5 "$W/culvertd.err")"
! grep -q -E "Sanitizer|runtime error| (warn|error) " "$W/culvertd.err" || fail "culvertd complains: $(grep -E "Sanitizer|runtime error| (warn|error) " "$W/culvertd.err" | head -n 3)"
grep -q "stopping, with 0 sessions" "$W/culvertd.err" || fail "sessions were left: $(grep "stopping, with" "$W/culvertd.err")"
exit $rc
