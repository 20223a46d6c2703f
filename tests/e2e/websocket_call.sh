#!/usr/bin/env bash
# Calls over WebSockets: prescribed, directly, over HTTP/2 and through CONNECT; found where nothing else passes both ways; not believed where a 101 is all that passes.
# seconds: 120
. "$(dirname "$0")/e2e.sh"
CALL_SECONDS=3
setup_calls

# ---- prescribed ----
call direct websocket
grep -q "connected to .* by websocket" "$W/direct.websocket.err" || fail "not by a WebSocket"
CELL_HTTP=2 cell_run h2.websocket direct websocket
note "HTTP/2: $($PYTHON "$TOP/tests/lib/cell.py" line "$W/h2.websocket.json")"
[ "$(json "$W/h2.websocket.json" ok)" = True ] || fail "over HTTP/2: $(json "$W/h2.websocket.json" complaints)"
grep -q "connected to .* by websocket" "$W/h2.websocket.err" || fail "not by a WebSocket over HTTP/2"
proxy_start squid squid "443 $SERVER_PORT" "$SERVER_CERT"
call squid websocket
proxy_start bump squid-bump "443 $SERVER_PORT" "$SERVER_CERT"
helper_start bumped --proxy "http://127.0.0.1:${PROXY_PORT[bump]}" --cafile "${PROXY_CA[bump]}" --rung websocket -L tcp://127.0.0.1:0=sig
await 10 grep -q "WebSockets do not pass here" "$W/bumped.err" || fail "nobody was told that WebSockets do not pass here: $(cat "$W/bumped.err")"
stop bumped

# ---- by itself ----
rung_of() { "$CULVERT" status --json --control "$W/$1.control" 2>/dev/null | $PYTHON -c 'import json, sys; print(json.load(sys.stdin)["path"]["rung"])'; }
rung_is() { [ "$(rung_of "$1")" = "$2" ]; }
helper() { # NAME PROXY
	helper_start "$1" --proxy "http://127.0.0.1:${PROXY_PORT[$2]}" --cafile "${PROXY_CA[$2]}" --control "$W/$1.control" -L tcp://127.0.0.1:0=sig
	SIG=$(helper_tcp "$1" sig)
}

proxy_start nginx nginx-upgrade "$SERVER_PORT" "$SERVER_CERT"
helper_start climbing --server "https://localhost:${PROXY_PORT[nginx]}" --cafile "${PROXY_CA[nginx]}" --control "$W/climbing.control" -L tcp://127.0.0.1:0=sig
SIG=$(helper_tcp climbing sig)
launch signals $PYTHON "$TOP/tests/tools/signalling.py" check "$SIG" --bytes 300000 --seconds 14 --timeout 30
await 15 rung_is climbing websocket || fail "nginx passes WebSockets, but the rung is $(rung_of climbing)"
note "behind nginx that holds requests: $(grep -o 'carried by .*' "$W/climbing.err" | tr '\n' ' ')"
finish signals 40 || fail "signalling across the change of the rung: $(cat "$W/signals.out" "$W/signals.err")"
rung_is climbing websocket || fail "the rung went back to $(rung_of climbing)"
stop climbing

NASTY="store=both upgrade=pass" proxy_start held nasty "" "$SERVER_CERT"
helper held held
await 15 rung_is held websocket || fail "only WebSockets pass, but the rung is $(rung_of held)"
nasty_switch held upgrade=lie
signalling check "$SIG" --bytes 100000 --seconds 5 --timeout 30 >"$W/held.signalling" || fail "after the WebSocket: $(cat "$W/held.signalling")"
stop held

NASTY="store=both upgrade=lie" proxy_start liar nasty "" "$SERVER_CERT"
helper liar liar
signalling check "$SIG" --bytes 100000 --seconds 15 --timeout 30 >"$W/liar.signalling" || fail "through the liar: $(cat "$W/liar.signalling")"
rung_is liar poll || fail "the rung is $(rung_of liar)"
grep -q "carried by websocket" "$W/liar.err" && fail "a 101 was believed"
grep -q "101" "${PROXY_LOG[liar]}" || fail "no WebSocket was tried"
stop liar
stop_expecting culvertd 0
