#!/usr/bin/env bash
# SIGTERM and SIGINT end both in order: a goodbye to the other side, status 0; SIGHUP reads files again, all or nothing.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
setup_echo
sessions() {
	"$CULVERTD" status --json --admin "$W/culvertd.sock" >"$W/status.json" 2>/dev/null && $PYTHON -c \
		'import json, sys; print(len(json.load(open(sys.argv[1]))["sessions"]))' "$W/status.json"
}
sessions_are() {
	[ "$(sessions)" = "$1" ]
}
for signal in TERM INT; do
	helper_echo helper-$signal
	passes 10 || fail "nothing passes"
	await 3 sessions_are 1 || fail "$(sessions) sessions at the server"
	stop helper-$signal $signal || fail "$signal: the helper ended with status $?"
	await 3 sessions_are 0 || fail "$signal: the helper left without a goodbye"
done

# A helper that is killed leaves its session; the next one is not disturbed by it.
helper_echo killed
passes 10 || fail "nothing passes"
stop killed KILL 2>/dev/null
helper_echo next --rung poll
passes 10 || fail "nothing passes beside a session whose helper is gone"

# Reload: a broken key changes nothing; a new certificate, key and second token are taken together.
cp "$W/server.crt" "$W/old.crt"
shown() { openssl s_client -connect "127.0.0.1:$SERVER_PORT" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint; }
before=$(shown)
cp "$W/server.key" "$W/good.key"
echo garbage >"$W/server.key"
kill -HUP "${PID[culvertd]}"
expect culvertd 5 "reload.*nothing was changed.*server.key"
[ "$(shown)" = "$before" ] || fail "the certificate changed although the reload failed"
rm -f "$W/server.key" "$W/server.crt"
"$CULVERTD" gen-cert --host localhost --cert "$W/server.crt" --key "$W/server.key" || fail "gen-cert"
"$CULVERTD" gen-token second >"$W/second" && cat "$W/second" >>"$W/token" && chmod 600 "$W/second"
kill -HUP "${PID[culvertd]}"
await 5 eval '[ "$(shown)" != "$before" ]' || fail "the new certificate is not shown"
passes 5 || fail "the reload broke a session"
helper_echo second --token-file "$W/second"
passes 10 || fail "the new token is not taken"
signalling check "$SIG" --bytes 100000 || fail "no TCP for the new identity"
grep -q "as second" "$W/second.err" || fail "the helper is not called second"
# What is no longer in the file is no longer accepted.
grep -v '^second:' "$W/token" >"$W/token.new" && chmod 600 "$W/token.new" && mv "$W/token.new" "$W/token"
kill -HUP "${PID[culvertd]}"
stop second || fail "the helper ended with status $?"
helper_start refused --token-file "$W/second" -L udp://127.0.0.1:0=udp
expect refused 10 "did not answer as a culvertd: wrong token"
stop_expecting refused 0
stop_expecting next 0
stop_expecting culvertd 0
