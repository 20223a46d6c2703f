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

real_plan() {
	KIND=$KIND W=$W VIA=$VIA AT=$AT TRUST=$TRUST ARGS=$ARGS PAGE=http://localhost:$(port_of "$APP_AT") NATIVE=$(real_column "$KIND" 2) CULVERT_IS=$(real_column "$KIND" 3) FALLBACK=$(real_column "$KIND" 4) \
		CLIENTS=${REAL_CLIENTS:-janus jssip sipjs} MODES=${REAL_MODES:-native culvert} TOKEN=$(head -n 1 "$W/token" | tr -d '\n' | base64 -w 0 | tr '+/' '-_' | tr -d =) \
		$PYTHON - >"$W/plan.json" <<-'END'
			import json, os
			e = os.environ
			ws = e["AT"].replace("http", "ws", 1)
			sip = ws + "/sip"
			modes = e["MODES"].split()
			if e["CULVERT_IS"] == "native" and "culvert" in modes:
			    modes.append("fallback")
			print(json.dumps({
			    "kind": e["KIND"], "proxy": e["VIA"] or None, "trust": [e["TRUST"]], "page": e["PAGE"], "base": e["AT"] + "/culvert", "token": e["TOKEN"],
			    "native": {"janus": ws + "/janus", "jssip": sip, "sipjs": sip}, "args": [e["ARGS"]] if e["ARGS"] else [],
			    "profile": e["W"] + "/profile", "messages": 20, "patience": 8000,
			    "runs": [[c, m] for m in modes for c in e["CLIENTS"].split()],
			    "expected": {"native": e["NATIVE"], "culvert": e["CULVERT_IS"], "fallback": e["FALLBACK"]}}))
		END
}

real_servers
real_proxy
real_plan
rc=0
$PYTHON "$WEB/real/real.py" "$W/plan.json" >"$W/lines.json" 2>"$W/real.err" || rc=$?
rm -rf "$W/profile"
[ -s "$W/lines.json" ] || fail "no run: $(tail -n 5 "$W/real.err")"
cp "$W/lines.json" "$FILE"
exit $rc
