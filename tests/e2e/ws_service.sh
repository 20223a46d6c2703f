#!/usr/bin/env bash
# WebSocket services: python3-websockets and Janus as targets, local clients through -L ws://, framed TCP targets, wss://, a proxy that is cut.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
credentials_make
service() { # VERB ARG...
	$PYTHON "$TOP/tests/tools/wsservice.py" "$@"
}
target() { # NAME PORT CERT...: sets AT
	local name=$1
	shift
	launch "$name" $PYTHON "$TOP/tests/tools/wsservice.py" serve "$@"
	AT=$(ready "$name" tcp wsservice) || fail "no target"
}
ask() { # LABEL ADDR:PORT CASE...
	local label=$1
	shift
	service ask "$@" >"$W/$label.said" 2>&1 || fail "$label: $(cat "$W/$label.said")"
	[ "$(grep -c "^ok " "$W/$label.said")" -eq $(($# - 1)) ] || fail "$label: $(cat "$W/$label.said")"
}
told_of() { # TEXT: the target says so
	await 15 grep -q -x "$1" "$W/target.out" || fail "the target was not told: $1, but $(cat "$W/target.out")"
}

SERVER_NAME=127.0.0.1 target target 0
TARGET=$AT
target secure 0 "$W/server.crt" "$W/server.key"
SECURE=$AT
launch tcp $PYTHON "$TOP/tests/tools/wsservice.py" tcp
TCP=$(ready tcp tcp tcp) || fail "no TCP target"
cat >"$W/culvertd.conf" <<EOF
service sig {
	target = "ws://$TARGET/janus?x=1"
	subprotocol = "chat.v2"
	origin = "https://app.example"
	headers = { "X-Name: value" }
}
service secure { target = "wss://localhost:$(port_of "$SECURE")/" cafile = "$W/server.crt" }
service untrusted { target = "wss://localhost:$(port_of "$SECURE")/" }
service lines { target = "tcp://$TCP" framing = line }
service records { target = "tcp://$TCP" framing = length }
service nothing { target = "ws://127.0.0.1:1/" }
service janus { target = "ws://127.0.0.1:8188/" }
service stream { target = "tcp://$TCP" }
EOF
# Janus by itself: its WebSocket transport alone, on a port that is free.
JANUS_PORT=$($PYTHON -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -i "s/:8188/:$JANUS_PORT/" "$W/culvertd.conf"
mkdir -p "$W/janus"
JANUS_LIB=$(echo /usr/lib/*/janus)
printf 'general: { configs_folder = "%s/janus" plugins_folder = "%s/plugins" transports_folder = "%s/transports" debug_level = 4 admin_secret = "x" }\nmedia: { rtp_port_range = "20000-20100" }\nplugins: { disable = "libjanus_sip.so,libjanus_nosip.so,libjanus_lua.so,libjanus_duktape.so,libjanus_streaming.so,libjanus_videoroom.so,libjanus_audiobridge.so,libjanus_recordplay.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_voicemail.so" }\ntransports: { disable = "libjanus_http.so,libjanus_pfunix.so,libjanus_rabbitmq.so,libjanus_mqtt.so,libjanus_nanomsg.so" }\n' "$W" "$JANUS_LIB" "$JANUS_LIB" >"$W/janus/janus.jcfg"
printf 'general: { ws = true ws_port = %s ws_ip = "127.0.0.1" wss = false }\nadmin: { admin_ws = false }\n' "$JANUS_PORT" >"$W/janus/janus.transport.websockets.jcfg"
launch janus janus -F "$W/janus" -C "$W/janus/janus.jcfg" -o

server_start culvertd -c "$W/culvertd.conf"
helper_start helper --origins https://ours.example -L ws://127.0.0.1:0=sig -L ws://127.0.0.1:0=secure -L ws://127.0.0.1:0=untrusted \
	-L ws://127.0.0.1:0=lines -L ws://127.0.0.1:0=records -L ws://127.0.0.1:0=nothing -L ws://127.0.0.1:0=janus -L ws://127.0.0.1:0=stream
at() { # SERVICE
	ready helper ws "$1" || fail "no forward to $1"
}

note "messages"
ask sig "$(at sig)" messages large fragments many subprotocol ping elsewhere rebinding
note "closes"
ask closes "$(at sig)" close_there close_here close_without_code die_there die_here too_large
told_of "closed 4001 auf Wiedersehen 😀"
told_of "closed 3999 enough"
told_of "closed 1005 "
told_of "closed 1006 "
note "TLS"
ask secure "$(at secure)" messages close_there
ask untrusted "$(at untrusted)" unreachable
grep -q "service untrusted: .* not trusted: .* with cafile" "$W/culvertd.err" || fail "culvertd does not say what is wrong with the certificate"
note "refused"
ask nothing "$(at nothing)" unreachable
ask stream "$(at stream)" unreachable
note "lines and lengths"
ask lines "$(at lines)" lines
ask records "$(at records)" records
note "Janus"
await 20 service ask "$(at janus)" janus >"$W/janus.said" 2>&1 || fail "Janus: $(cat "$W/janus.said" "$W/janus.err")"

note "the target restarts"
stop target
ask gone "$(at sig)" unreachable
launch target $PYTHON "$TOP/tests/tools/wsservice.py" serve "$(port_of "$TARGET")"
ready target tcp wsservice 2 >/dev/null || fail "the target does not come again"
ask again "$(at sig)" messages

note "a proxy in between, cut each second"
proxy_start squid squid "$SERVER_PORT"
launch cutter "$TOOLS/cutter" --to "127.0.0.1:${PROXY_PORT[squid]}" --cut 1000
helper_start proxied --proxy "http://127.0.0.1:$(port_of "$(ready cutter tcp cutter)")" -L ws://127.0.0.1:0=sig
service keep "$(ready proxied ws sig)" 8 >"$W/keep.said" 2>&1 || fail "cut: $(cat "$W/keep.said")"
check "$(sed -n 's/^sent //p' "$W/keep.said")" ">=" 100 "messages came back through the proxy"
stop cutter
check "$(json "$W/cutter.out" cut)" ">=" 4 "connections were cut"
! grep -q -i "sanitizer" "$W"/*.err || fail "a sanitizer complains"
