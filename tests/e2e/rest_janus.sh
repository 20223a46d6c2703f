#!/usr/bin/env bash
# The README's Janus session with curl, line by line as it stands there, against Janus.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
credentials_make
JANUS_PORT=$(free_port)
JANUS_LIB=$(echo /usr/lib/*/janus)
mkdir "$W/janus"
cat >"$W/janus/janus.jcfg" <<END
general: { configs_folder = "$W/janus" plugins_folder = "$JANUS_LIB/plugins" transports_folder = "$JANUS_LIB/transports" debug_level = 4 admin_secret = "x" }
media: { rtp_port_range = "20000-20100" }
plugins: { disable = "libjanus_sip.so,libjanus_nosip.so,libjanus_lua.so,libjanus_duktape.so,libjanus_streaming.so,libjanus_videoroom.so,libjanus_audiobridge.so,libjanus_recordplay.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_voicemail.so" }
transports: { disable = "libjanus_http.so,libjanus_pfunix.so,libjanus_rabbitmq.so,libjanus_mqtt.so,libjanus_nanomsg.so" }
END
printf 'general: { ws = true ws_port = %s ws_ip = "127.0.0.1" wss = false }\nadmin: { admin_ws = false }\n' "$JANUS_PORT" >"$W/janus/janus.transport.websockets.jcfg"
launch janus janus -F "$W/janus" -C "$W/janus/janus.jcfg" -o
await 15 bash -c 'exec 3<>/dev/tcp/127.0.0.1/$0' "$JANUS_PORT" 2>/dev/null || fail "no Janus: $(tail "$W/janus.out")"
printf 'rest = true\nservice janus { target = "ws://127.0.0.1:%s/" }\n' "$JANUS_PORT" >"$W/culvertd.conf"
server_start culvertd -c "$W/culvertd.conf"

# As it stands there, with the names that exist here.
sed -n '/^## A Janus session with curl/,/^## Behind/p' "$TOP/README.md" | sed -n '/^```sh$/,/^```$/p' | grep -v '^```' |
	sed -e "s,/etc/culvert/tokens,$W/token,; s,https://tunnel\.example/,https://localhost:$SERVER_PORT/," >"$W/session.sh"
[ "$(grep -c "^curl " "$W/session.sh")" -eq 5 ] || fail "the README has not five lines of curl: $(cat "$W/session.sh")"
mkdir "$W/session"
(cd "$W/session" && PATH=$(dirname "$CULVERTD"):$PATH CURL_CA_BUNDLE=$W/server.crt timeout 40 sh -e ../session.sh) >"$W/said" 2>"$W/said.err" ||
	fail "a line failed: $(cat "$W/said" "$W/said.err")"
[ ! -s "$W/said.err" ] || fail "it complains: $(cat "$W/said.err")"
$PYTHON - "$W/said" <<'END' || fail "not what Janus says: $(cat "$W/said")"
import json, sys
answers = [json.loads(line) for line in open(sys.argv[1])]
made, said = answers[0], []
for a in answers[1:]:
    said += [json.loads(m) if isinstance(m, str) else m for m in a["messages"]]
kinds = [m.get("janus") for m in said]
assert len(answers) == 5 and made["protocol"] == "janus-protocol" and made["state"] == "open", made
assert kinds[:2] == ["success", "success"] and "ack" in kinds, kinds	# which may come behind the event
assert any(m.get("plugindata", {}).get("data", {}).get("result") == "ok" for m in said), said
assert [a["taken"] for a in answers[1:]] == [1, 2, 3, 5], answers
END
[ "$(stat -c %a "$W/session/h")" = 600 ] || fail "others can read the credential"
await 10 grep -q "Destroying session" "$W/janus.out" || fail "Janus' session was not destroyed: $(tail -n 20 "$W/janus.out")"
note "$(wc -l <"$W/said") answers"
