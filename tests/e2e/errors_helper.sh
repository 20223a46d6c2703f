#!/usr/bin/env bash
# What the helper says of a wrong token, base path, service, certificate, name or server, while it goes on trying.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
setup_echo
echo "tester:$(printf 'a%.0s' {1..40})" >"$W/wrong-token"
chmod 600 "$W/wrong-token"
$PYTHON "$PROXIES/authority.py" "$W/ca" elsewhere.test
launch other "$CULVERTD" --listen 127.0.0.1:0 --cert "$W/ca/elsewhere.test.crt" --key "$W/ca/elsewhere.test.key" --token-file "$W/token" \
	--admin none --service "udp=udp://$UDP_TARGET"
OTHER_PORT=$(port_of "$(ready other https culvertd)")

forwards=(-L udp://127.0.0.1:0=udp -L tcp://127.0.0.1:0=sig)
at=https://localhost
helper_start wrong-token --token-file "$W/wrong-token" "${forwards[@]}"
helper_start wrong-base --server "$at:$SERVER_PORT/elsewhere" "${forwards[@]}"
helper_start untrusted --cafile "$W/ca/ca.crt" "${forwards[@]}"
helper_start wrong-name --server "$at:$OTHER_PORT" --cafile "$W/ca/ca.crt" "${forwards[@]}"
helper_start no-such-name --server "https://no-such-host.invalid:$SERVER_PORT" "${forwards[@]}"
helper_start nobody-there --server "$at:$(free_port)" "${forwards[@]}"
helper_start no-culvertd --server "$at:$(port_of "$TCP_TARGET")" "${forwards[@]}"
helper_start wrong-service -L udp://127.0.0.1:0=nothing -L tcp://127.0.0.1:0=udp -L tcp://127.0.0.1:0=sig

expect wrong-token 10 "did not answer as a culvertd: wrong token \($W/wrong-token\), wrong base path.*trying again"
expect wrong-base 10 "did not answer as a culvertd: wrong token .*, wrong base path.*trying again"
expect untrusted 10 "certificate for localhost .*not trusted.*--cafile.*trying again"
expect wrong-name 10 "certificate .*elsewhere.test.*trying again"
expect no-such-name 15 "no-such-host.invalid has no address.*trying again"
expect nobody-there 10 "nothing listens at localhost:[0-9]+ .*trying again"
expect no-culvertd 20 "localhost:[0-9]+.*trying again"

# The server tells its own operator which it was.
expect culvertd 5 "auth .*wrong token for 'tester'"
expect culvertd 5 "elsewhere/v1/.*not below the base path"

# A service that does not exist, or is of another kind, concerns its own port only.
datagrams probe "$(helper_udp wrong-service nothing)" --seconds 1 2>/dev/null && fail "an unknown service answers"
expect wrong-service 10 "service nothing.*no service of that name"
signalling check "$(helper_tcp wrong-service udp)" --bytes 10 --timeout 5 >"$W/kind" && fail "a UDP service was reached by TCP"
expect wrong-service 10 "service udp.*this service is UDP: forward it with -L udp"
signalling check "$(helper_tcp wrong-service sig)" --bytes 1000 || fail "the other service suffers"

# None of these is a reason to give up: all still run, keep their ports, and try again more and more slowly.
for name in wrong-token wrong-base untrusted wrong-name no-such-name nobody-there no-culvertd wrong-service; do
	running $name || fail "$name: the helper has ended"
	[ "$(grep -c "trying again" "$W/$name.err")" -le 2 ] || fail "$name: says the same over and over"
done
tries=$(grep -c "wrong token for" "$W/culvertd.err")
check "$tries" "<=" 15 "attempts of one helper with a wrong token"

# Once the token is right, SIGHUP is all it needs.
cp "$W/token" "$W/wrong-token"
kill -HUP "${PID[wrong-token]}"
UDP=$(helper_udp wrong-token udp)
passes 20 || fail "nothing passes after the token was put right"
for name in wrong-token wrong-base untrusted wrong-name no-such-name nobody-there no-culvertd wrong-service; do
	stop_expecting $name 0
done
