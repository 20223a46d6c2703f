#!/usr/bin/env bash
# What ends both programs at their start: ports in use, files that cannot be read, wrong options; message and exit status.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
setup_echo
helper_echo helper
n=0
ends() { # STATUS PATTERN COMMAND...: ends at once like that
	local status=$1 pattern=$2 name rc=0
	shift 2
	n=$((n + 1)) name=start-$n
	launch $name "$@"
	finish $name 5 || rc=$?
	[ $rc -eq "$status" ] || fail "status $rc, not $status: ${*:1}: $(cat "$W/$name.err")"
	grep -q -E -- "$pattern" "$W/$name.err" || fail "no such message ($pattern): ${*:1}: $(cat "$W/$name.err")"
	! grep -q "^ready" "$W/$name.out" || fail "was ready before it ended: ${*:1}"
}

server=("$CULVERTD" --listen 127.0.0.1:0 --cert "$W/server.crt" --key "$W/server.key" --token-file "$W/token" --admin none
	--service "udp=udp://$UDP_TARGET")
helper=("$CULVERT" --control none --state none --server "https://localhost:$SERVER_PORT" --token-file "$W/token" --cafile "$W/server.crt")
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$W/other.key" 2>/dev/null
echo garbage >"$W/garbage"
: >"$W/empty"

ends 1 "127.0.0.1:$SERVER_PORT.*in use" "${server[@]}" --listen "127.0.0.1:$SERVER_PORT"
ends 2 "$W/missing.*[Nn]o such file" "${server[@]}" --key "$W/missing"
ends 2 "$W/garbage" "${server[@]}" --key "$W/garbage"
ends 2 "$W/other.key" "${server[@]}" --key "$W/other.key"
ends 2 "$W/missing.*[Nn]o such file" "${server[@]}" --cert "$W/missing"
ends 2 "$W/missing.*[Nn]o such file" "${server[@]}" --token-file "$W/missing"
ends 2 "$W/empty" "${server[@]}" --token-file "$W/empty"
ends 2 "service" "${server[@]}" --service nonsense
ends 2 "listen" "${server[@]}" --listen nonsense
ends 2 "no-such-option" "${server[@]}" --no-such-option

ends 1 "127.0.0.1:$(port_of "$UDP").*in use" "${helper[@]}" -L "udp://$UDP=udp"
ends 1 "127.0.0.1:$(port_of "$SIG").*in use" "${helper[@]}" -L "tcp://$SIG=sig"
ends 2 "$W/missing.*[Nn]o such file" "${helper[@]}" --token-file "$W/missing" -L udp://127.0.0.1:0=udp
ends 2 "$W/garbage" "${helper[@]}" --token-file "$W/garbage" -L udp://127.0.0.1:0=udp
ends 2 "$W/missing.*[Nn]o such file" "${helper[@]}" --cafile "$W/missing" -L udp://127.0.0.1:0=udp
ends 2 "$W/garbage" "${helper[@]}" --cafile "$W/garbage" -L udp://127.0.0.1:0=udp
ends 2 "rung" "${helper[@]}" --rung nonsense -L udp://127.0.0.1:0=udp
ends 2 "https" "${helper[@]}" --server "ftp://localhost:$SERVER_PORT" -L udp://127.0.0.1:0=udp
ends 2 "local|-L" "${helper[@]}"
ends 2 "local|-L|nonsense" "${helper[@]}" -L nonsense

# A file that only its owner may read, as somebody else.
if [ "$(id -u)" -eq 0 ]; then
	chmod 600 "$W/server.key"
	cp "$CULVERTD" "$CULVERT" "$W/" # somebody else may not be let into where they were built
	server[0]=$W/culvertd helper[0]=$W/culvert
	chmod 644 "$W/token"
	AS=nobody ends 2 "server.key.*[Pp]ermission denied" "${server[@]}"
	chmod 600 "$W/token"
	AS=nobody ends 2 "token.*[Pp]ermission denied" "${helper[@]}" -L udp://127.0.0.1:0=udp
fi

# Errors in a file are told with their line; --check finds them without a start.
printf 'listen = { "127.0.0.1:0" }\nmax-sessions = many\n' >"$W/bad.conf"
ends 2 "bad.conf:2" "$CULVERTD" -c "$W/bad.conf"
printf 'server = "https://localhost"\ntoken-file = "%s" local = { "udp://127.0.0.1:0=udp" }\nrung = sideways\n' "$W/token" >"$W/bad-helper.conf"
ends 2 "bad-helper.conf:3" "$CULVERT" -c "$W/bad-helper.conf"
ends 2 "bad-helper.conf:3" "$CULVERT" --check -c "$W/bad-helper.conf"
"${server[@]}" --check >"$W/check.out" 2>&1 || fail "--check of a server in order: $(cat "$W/check.out")"
"${helper[@]}" --check -L udp://127.0.0.1:0=udp >"$W/check.out" 2>&1 || fail "--check of a helper in order: $(cat "$W/check.out")"

# None of this has touched those that run.
passes 5 || fail "nothing passes any more"
echo "$n starts that ended as they should"
