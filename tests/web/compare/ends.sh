# Sourced by compare.sh after harness.sh, proxies.sh and culvert.sh: the far ends and what is in between.
#
#   compare_ends                 all servers; sets PORTS
#   compare_link MS              a link with that delay between the namespace near, where browsers are, and here
#   compare_proxy KIND [+]       the way to them; sets WHERE (JSON for systems.js) and PROXY. +: for browsers behind the link
#   compare_proxies_stop

declare -A PORTS=()
LINK_HERE=10.77.0.2

compare_janus() {
	local lib
	lib=$(echo /usr/lib/*/janus)
	PORTS[janus]=$(free_port) PORTS[janus-ws]=$(free_port)
	mkdir -p "$W/janus"
	cat >"$W/janus/janus.jcfg" <<-END
		general: { configs_folder = "$W/janus" plugins_folder = "$lib/plugins" transports_folder = "$lib/transports" debug_level = 3 admin_secret = "x" }
		media: { rtp_port_range = "20000-20100" }
		plugins: { disable = "libjanus_sip.so,libjanus_nosip.so,libjanus_lua.so,libjanus_duktape.so,libjanus_streaming.so,libjanus_videoroom.so,libjanus_audiobridge.so,libjanus_recordplay.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_voicemail.so" }
		transports: { disable = "libjanus_pfunix.so,libjanus_rabbitmq.so,libjanus_mqtt.so,libjanus_nanomsg.so" }
	END
	cat >"$W/janus/janus.transport.http.jcfg" <<-END
		general: { json = "compact" base_path = "/janus" http = false https = true secure_port = ${PORTS[janus]} secure_ip = "127.0.0.1" }
		admin: { admin_http = false admin_https = false }
		certificates: { cert_pem = "$W/server.crt" cert_key = "$W/server.key" }
	END
	printf 'general: { json = "compact" ws = true ws_port = %s ws_ip = "127.0.0.1" wss = false }\nadmin: { admin_ws = false }\n' "${PORTS[janus-ws]}" \
		>"$W/janus/janus.transport.websockets.jcfg"
	launch janus janus -F "$W/janus" -C "$W/janus/janus.jcfg" -o
	await 20 answers "${PORTS[janus]}" && await 20 answers "${PORTS[janus-ws]}" || fail "Janus did not start"
}

compare_ends() {
	local name address
	credentials_make
	launch serve node "$TOP/tests/web/compare/serve.mjs" "$W/server.crt" "$W/server.key"
	for name in engineio sockjs websocket exchange; do
		address=$(ready serve tcp $name) || fail "no $name"
		PORTS[$name]=$(port_of "$address")
	done
	compare_janus
	PORTS[site]=$(free_port)
	cat >"$W/culvertd.conf" <<-END
		rest = true
		origins = { "http://127.0.0.1:${PORTS[site]}" }
		service sig { target = "ws://127.0.0.1:${PORTS[websocket]}/" }
		service janus { target = "ws://127.0.0.1:${PORTS[janus-ws]}/" subprotocol = "janus-protocol" }
	END
	server_start culvertd -c "$W/culvertd.conf"
	PORTS[culvert]=$SERVER_PORT
	BEARER=$(head -n 1 "$W/token" | tr -d '\n' | base64 -w 0 | tr '+/' '-_' | tr -d =)
}

compare_link() { # MS
	launch link "$TOOLS/linkem" --ns-a near --ns-b - --create --delay "$1" --addr-a 10.77.0.1/24 --addr-b $LINK_HERE/24
	await 10 grep -q "^ready link" "$W/link.out" || fail "no link: $(cat "$W/link.err")"
	ip netns exec near ip link set lo up
}

# Addresses as a browser has them: each server's own port, or that of the reverse proxy before it.
compare_where() { # [PREFIX]
	local name out=
	for name in engineio sockjs exchange janus culvert; do
		out+="\"$name\": \"https://localhost:${PORTS[${1:-}$name]}\", "
	done
	WHERE="{$out\"token\": \"$BEARER\"}"
}

compare_proxy() { # KIND [DELAY]
	local name
	PROXY= BETWEEN=()
	case $1 in
	none) compare_where ;;
	*-reverse)
		[ -z "$2" ] || fail "$1$2: reverse proxies are not behind links here"
		for name in engineio sockjs exchange janus culvert; do
			BETWEEN+=("front-$name")
			proxy_start "front-$name" "$1" "${PORTS[$name]}" "$W/server.crt"
			PORTS[front-$name]=${PROXY_PORT[front-$name]}
		done
		compare_where front-
		;;
	*)
		BETWEEN=("proxy$2")
		STOREFWD_OPTIONS="--per-client 8" # with two a browser's own habits are refused, whatever the page does
		[ -z "$2" ] || PROXY_LISTEN=$LINK_HERE:0
		proxy_start "proxy$2" "$1" "$(printf '%s ' "${PORTS[@]}")" "$W/server.crt"
		PROXY=http://${PROXY_HOST:-127.0.0.1}:${PROXY_PORT[proxy$2]}
		unset PROXY_LISTEN
		compare_where
		;;
	esac
}

compare_proxies_stop() {
	local name
	for name in "${BETWEEN[@]}"; do
		proxy_stop "$name"
		: # rm -rf "${W:?}/$name" "$W/$name.out"
	done
}
