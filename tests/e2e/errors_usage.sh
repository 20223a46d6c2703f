#!/usr/bin/env bash
# What people type wrongly: each ends at once with status 2 and a sentence that says what would be right; secrets are not repeated.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
credentials_make
n=0
wrong() { # PATTERN COMMAND...
	local pattern=$1 rc=0
	shift
	n=$((n + 1))
	timeout 5 "$@" >"$W/wrong.out" 2>&1 </dev/null || rc=$?
	[ $rc -eq 2 ] || fail "status $rc, not 2: $*: $(cat "$W/wrong.out")"
	grep -q -E -- "$pattern" "$W/wrong.out" || fail "no such message ($pattern): $*: $(cat "$W/wrong.out")"
	! grep -q "SECRET" "$W/wrong.out" || fail "repeats a secret: $*"
	[ "$(wc -l <"$W/wrong.out")" -eq 1 ] || fail "more than a line: $*: $(cat "$W/wrong.out")"
}
rest=(--token-file "$W/token" --control none --state none)
at=(--server https://localhost -L udp://127.0.0.1:0=udp)

# Commands
wrong '--token-file is missing: name the file' "$CULVERT"
wrong 'https://calls.example.com: not a command; the server is given as --server' "$CULVERT" https://calls.example.com
wrong 'stauts: not a command; there is .*status' "$CULVERT" stauts
wrong 'sttaus: unknown command; there are .*status' "$CULVERTD" sttaus
wrong 'extra: unexpected argument' "$CULVERT" "${at[@]}" "${rest[@]}" extra
wrong "did you mean '--connections'" "$CULVERT" --conections 2
wrong '-Z: unknown option' "$CULVERT" -Z
wrong '--server needs a value: --server URL' "$CULVERT" --server
wrong 'x: not an option' "$CULVERT" status x
wrong '--server: unknown option' "$CULVERT" status --server https://localhost
wrong '--json takes no value' "$CULVERT" status --json=1
wrong 'absolute path' "$CULVERT" status --control here

# The server
for url in '' localhost localhost:443 ftp://localhost wss://localhost; do
	wrong '--server: must begin with https://' "$CULVERT" "${rest[@]}" --server "$url" -L udp://127.0.0.1:0=udp
done
wrong '--server: the host is missing' "$CULVERT" "${rest[@]}" --server https:// -L udp://127.0.0.1:0=udp
wrong '--server: port 0' "$CULVERT" "${rest[@]}" --server https://localhost:0 -L udp://127.0.0.1:0=udp
for url in https://localhost:99999 'https://local host' 'https://[::1'; do
	wrong '--server: not a host name or address' "$CULVERT" "${rest[@]}" --server "$url" -L udp://127.0.0.1:0=udp
done
wrong '--server: the base path .*no \? or #' "$CULVERT" "${rest[@]}" --server 'https://localhost/x?y' -L udp://127.0.0.1:0=udp
wrong '--server: holds a user name' "$CULVERT" "${rest[@]}" --server https://me:SECRET@localhost -L udp://127.0.0.1:0=udp

# The proxy
for url in '' ftp://proxy:3128 wss://proxy; do
	wrong '--proxy: must be http://\[USER@\]HOST:PORT' "$CULVERT" "${at[@]}" "${rest[@]}" --proxy "$url"
done
wrong '--proxy: the port is missing' "$CULVERT" "${at[@]}" "${rest[@]}" --proxy http://proxy
wrong '--proxy: has a path' "$CULVERT" "${at[@]}" "${rest[@]}" --proxy http://proxy:3128/proxy.pac
wrong '--proxy: holds a password.*--proxy-password-file' "$CULVERT" "${at[@]}" "${rest[@]}" --proxy http://me:SECRET@proxy:3128
wrong '--proxy: names a user' "$CULVERT" "${at[@]}" "${rest[@]}" --proxy http://me@proxy:3128
wrong '--proxy-password-file: needs a user' "$CULVERT" "${at[@]}" "${rest[@]}" --proxy http://proxy:3128 --proxy-password-file "$W/token"

# Forwards
wrong '--local .-L. is missing' "$CULVERT" "${rest[@]}" --server https://localhost
for forward in udp 5004=udp UDP://127.0.0.1:5004=udp wss://127.0.0.1:5004=udp; do
	wrong 'begins with udp://, tcp://, ws://, socks5:// or http://; for example' "$CULVERT" "${rest[@]}" --server https://localhost -L $forward
done
wrong "'=SERVICE' is missing at the end" "$CULVERT" "${rest[@]}" --server https://localhost -L udp://127.0.0.1:5004
for forward in udp://127.0.0.1=udp udp://127.0.0.1:5013-5004=udp udp://127.0.0.1:70000=udp; do
	wrong 'ADDRESS:PORT or ADDRESS:FIRST-LAST' "$CULVERT" "${rest[@]}" --server https://localhost -L "$forward"
done
for forward in udp://127.0.0.1:5004=RTP 'udp://127.0.0.1:1=a tcp://127.0.0.1:2=b'; do
	wrong 'a service name has' "$CULVERT" "${rest[@]}" --server https://localhost -L "$forward"
done
wrong 'class must be auto, audio, video, control or bulk' "$CULVERT" "${rest[@]}" --server https://localhost -L udp://127.0.0.1:5004=a,class=loud
wrong 'redundancy must be auto, always or never' "$CULVERT" "${rest[@]}" --server https://localhost -L udp://127.0.0.1:5004=a,redundancy=on
wrong 'deadline-ms must be a number from 10 to 60000' "$CULVERT" "${rest[@]}" --server https://localhost -L udp://127.0.0.1:5004=a,deadline-ms=5
wrong 'are for udp:// alone' "$CULVERT" "${rest[@]}" --server https://localhost -L tcp://127.0.0.1:5004=a,class=audio
wrong '--redundancy: must be auto, always or never' "$CULVERT" "${at[@]}" "${rest[@]}" --redundancy on
wrong 'more than 1024 ports' "$CULVERT" "${rest[@]}" --server https://localhost -L udp://127.0.0.1:5004-7000=udp

# Values
wrong "--connections: must be a number from 2 to 16, not '1'" "$CULVERT" "${at[@]}" "${rest[@]}" --connections 1
wrong "--hold-ms: must be a number from 1000 to 60000, not '5'" "$CULVERT" "${at[@]}" "${rest[@]}" --hold-ms 5
wrong '--rung: must be auto, duplex' "$CULVERT" "${at[@]}" "${rest[@]}" --rung psuh
wrong '--log-level: must be error, warn' "$CULVERT" "${at[@]}" "${rest[@]}" --log-level loud
wrong '--control: must be an absolute path' "$CULVERT" "${at[@]}" "${rest[@]}" --control here
wrong '--state: is empty' "$CULVERT" "${at[@]}" "${rest[@]}" --state ''
wrong '--help takes no value' "$CULVERT" --help=1

# The token itself instead of its file, at both ends
wrong 'that is the name:token line itself, not the name of a file' "$CULVERT" "${at[@]}" "${rest[@]}" --token-file me:SECRETSECRETSECRET
wrong 'that is the name:token line itself, not the name of a file' "$CULVERTD" --listen 127.0.0.1:0 --cert "$W/server.crt" \
	--key "$W/server.key" --admin none --service udp=udp://127.0.0.1:7 --token-file me:SECRETSECRETSECRET
echo "$n wrong uses"
