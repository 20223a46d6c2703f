#!/usr/bin/env bash
# culvert status: its numbers, its forms, the live view in a terminal, who may ask, helpers without a server, two helpers.
# seconds: 120
. "$(dirname "$0")/e2e.sh"
setup_echo

asked() { # EXPECTED-STATUS ARG...: the answer is in $W/answer, what was said besides in $W/said
	local want=$1 rc=0
	shift
	"$CULVERT" status "$@" >"$W/answer" 2>"$W/said" || rc=$?
	[ $rc -eq "$want" ] || fail "culvert status $*: exit status $rc, not $want: $(cat "$W/answer" "$W/said")"
}
says() { # PATTERN [FILE]
	grep -q -E -- "$1" "$W/${2:-said}" || fail "no '$1' in: $(cat "$W/${2:-said}")"
}
# The answer is one line of JSON of which a Python expression over s holds.
holds() { # EXPRESSION WHAT
	[ "$(wc -l <"$W/answer")" -eq 1 ] || fail "not one line: $(cat "$W/answer")"
	$PYTHON -c 'import json, sys; s = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$W/answer" "$1" ||
		fail "$2 ($1): $(cat "$W/answer")"
}

# ---- numbers ----
helper_echo helper --rung duplex --control "$W/control"
passes 10 || fail "nothing passes"
datagrams pingpong "$UDP" --count 500 >"$W/pingpong" || fail "packets lost"
signalling check "$SIG" --bytes 123456 || fail "no TCP"
asked 0 --control "$W/control" --json
# 500 packets of 164 bytes, 123,456 bytes of signalling, and the few small ones that asked whether anything passes.
holds 's["state"] == "connected" and s["trouble"] is None and s["path"]["rung"] == "duplex"' "state"
holds '[f["bytes_out"] for f in s["forwards"] if f["service"] == "sig"] == [123456]' "bytes of signalling out"
holds '[f["bytes_in"] for f in s["forwards"] if f["service"] == "sig"] == [123456]' "bytes of signalling in"
holds 'all(500 < f["packets_out"] < 560 and f["packets_in"] <= f["packets_out"] for f in s["forwards"] if f["service"] == "udp")' "packets"
holds 'all(f["local"] == "'"$UDP"'" and f["flows"] >= 2 for f in s["forwards"] if f["service"] == "udp")' "local port"
holds '[(c["packets_out"], c["packets_in"], c["bytes_out"], c["bytes_in"]) for c in s["channels"] if c["packets_out"] == 500] == [(500, 500, 82000, 82000)]' "channel"
holds 's["counters"]["datagrams_out"] == sum(f["packets_out"] for f in s["forwards"])' "counters"
holds 's["counters"]["stream_bytes_in"] == 123456' "counter of bytes"
holds 'len(s["carriers"]) >= 1 and all(c["records_in"] > 0 and c["rtt_ms"] > 0 for c in s["carriers"] if c["proven"])' "carriers"
holds '0 < s["path"]["connected_after_ms"] <= s["path"]["rung_after_ms"] <= s["uptime_ms"]' "times"
holds '1 <= s["path"]["connections"]["open"] <= s["path"]["connections"]["peak"] <= s["path"]["connections"]["limit"] == 10' "connections"
holds 's["session"]["channels"] == len(s["channels"]) and s["session"]["rtt_ms"] > 0' "session"
holds 's["certificate"]["expected"] == "yes" and s["certificate"]["pin"].startswith("sha256/") and "very certificate" in s["certificate"]["words"]' "certificate"
holds 's["proxy"] is None and s["logins"] == [] and s["sealed"] is False' "no proxy"
# The server says the same.
"$CULVERTD" status --json --admin "$W/culvertd.sock" >"$W/server.json" || fail "no status of the server"
holds '(lambda t: t["counters"]["datagrams_in"] == s["counters"]["datagrams_out"] and t["sessions"][0]["sid"].startswith(s["session"]["tag"]))(json.load(open("'"$W/server.json"'")))' "the server"
asked 0 --control "$W/control"
says "^culvert [0-9.]+: connected by duplex, up " answer
says "udp $UDP udp +[0-9]+ +5[0-9][0-9] " answer
says "tcp $SIG sig .* 123 k " answer

# Behind a proxy that a PAC file names second; the first one is dead.
proxy_start squid squid "443 $SERVER_PORT"
gone=$(free_port)
printf 'function FindProxyForURL(url, host) { return "PROXY 127.0.0.1:%s; PROXY 127.0.0.1:%s"; }\n' "$gone" "${PROXY_PORT[squid]}" >"$W/proxy.pac"
first=($UDP $SIG)
helper_echo behind --proxy-pac "$W/proxy.pac" --control "$W/behind"
passes 20 || fail "nothing passes by the PAC file"
asked 0 --control "$W/behind" --json
holds '[c["used"] for c in s["candidates"]] == [False, True] and s["candidates"][1]["proxy"] == s["proxy"] == "127.0.0.1:'"${PROXY_PORT[squid]}"'"' "candidates"
holds '"proxy.pac" in s["proxy_from"] and s["logins"] == []' "where they are from"
asked 0 --control "$W/behind"
says "^proxy     127.0.0.1:${PROXY_PORT[squid]} \(.*proxy.pac" answer
says "^          1\. 127.0.0.1:$gone\$" answer
says "^          2\. 127.0.0.1:${PROXY_PORT[squid]}, in use" answer
says "^          certificate the same|^          certificate the very certificate" answer
stop_expecting behind 0
UDP=${first[0]} SIG=${first[1]}

# By the file that the helper has; by one that says that there is no socket.
printf 'server = "https://localhost:1"\ntoken-file = "%s"\ncontrol = "%s"\nlocal = { "udp://127.0.0.1:0=udp" }\n' "$W/token" "$W/control" >"$W/helper.conf"
asked 0 -c "$W/helper.conf"
says "connected by duplex" answer
sed -i 's,^control = .*,control = none,' "$W/helper.conf"
asked 2 -c "$W/helper.conf"
says "helper.conf:3: the helper has no socket to be asked at"
printf 'cert = a\nkey = b\ntoken-file = c\nadmin = "%s"\nservice udp { target = "udp://127.0.0.1:9" }\n' "$W/culvertd.sock" >"$W/server.conf"
"$CULVERTD" status -c "$W/server.conf" >"$W/answer" || fail "no status of the server by its file"
says "culvert.echo +built in$" answer

# ---- again and again ----
launch load $PYTHON "$TOP/tests/tools/datagrams.py" pingpong "$UDP" --count 1000000 --gap 10
terminal=0
$PYTHON "$TOP/tests/tools/watch.py" "$CULVERT" status --control "$W/control" --watch >"$W/screen" || terminal=$?
[ $terminal -eq 0 ] || fail "in a terminal: status $terminal"
says "^culvert [0-9.]+: connected by duplex" screen
says "in/s +kbit/s +out/s +kbit/s" screen
# Packets per second, and their 164 bytes in kbit/s.
awk -v "port=$UDP" '$1 == "udp" && $2 == port { seen = 1; ratio = $6 / ($5 * 164 * 8 / 1000); exit !($5 > 20 && ratio > 0.9 && ratio < 1.1) } END { if (!seen) exit 1 }' "$W/screen" ||
	fail "rates: $(cat "$W/screen")"
for signal in TERM HUP; do
	$PYTHON "$TOP/tests/tools/watch.py" --seconds 1.2 --end $signal "$CULVERT" status --control "$W/control" --watch >"$W/screen" || fail "ended by $signal: $?"
done
rc=0
timeout --preserve-status -s INT 3.5 "$CULVERT" status --control "$W/control" --watch --json >"$W/lines" || rc=$?
[ $rc -eq 0 ] || fail "--watch --json ended with $rc"
$PYTHON - "$W/lines" <<'END' || fail "--watch --json: $(cat "$W/lines")"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
sent = [sum(f["packets_out"] for f in s["forwards"]) for s in lines]
assert 2 <= len(lines) <= 5, len(lines)
assert all(a < b for a, b in zip(sent, sent[1:])), sent
END
rc=0
timeout --preserve-status -s INT 2.5 "$CULVERT" status --control "$W/control" --watch >"$W/plain" || rc=$?
[ $rc -eq 0 ] || fail "--watch into a file ended with $rc"
[ "$(grep -c '^culvert .*connected by duplex' "$W/plain")" -ge 2 ] || fail "no repeated output: $(cat "$W/plain")"
grep -q $'\033' "$W/plain" && fail "sequences for terminals in a file"
stop load

# ---- who may ask ----
[ "$(stat -c %a "$W/control")" = 600 ] || fail "the control socket's mode is $(stat -c %a "$W/control")"
if [ "$(id -u)" -eq 0 ]; then
	cp "$CULVERT" "$W/culvert" # others may not be let into where it was built
	other() { # USER EXPECTED-STATUS ARG...
		local user=$1 want=$2 rc=0
		shift 2
		setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups "$W/culvert" status "$@" >"$W/answer" 2>"$W/said" || rc=$?
		[ $rc -eq "$want" ] || fail "$user: exit status $rc, not $want: $(cat "$W/answer" "$W/said")"
	}
	other nobody 1 --control "$W/control"
	says "Permission denied; ask as its user or as root"
	# The mode is not the only guard.
	chmod 666 "$W/control"
	other nobody 1 --control "$W/control" --json
	says "it answers nothing"
	[ -s "$W/answer" ] && fail "another user got an answer: $(cat "$W/answer")"
	chmod 600 "$W/control"
	# The user of a helper may ask, and root may; nobody believes a third one's socket.
	mkdir "$W/nobody" && install -m 600 "$W/token" "$W/nobody/token" && chown -R nobody "$W/nobody"
	AS=nobody launch unprivileged "$W/culvert" --state none --server "https://localhost:$SERVER_PORT" --cafile "$W/server.crt" --token-file "$W/nobody/token" \
		--control "$W/nobody/control" -L udp://127.0.0.1:0=udp
	helper_udp unprivileged udp >"$W/address"
	await 10 grep -q connected "$W/unprivileged.err" || fail "the helper of nobody does not connect"
	other nobody 0 --control "$W/nobody/control"
	asked 0 --control "$W/nobody/control"
	chmod 666 "$W/nobody/control"
	other daemon 1 --control "$W/nobody/control"
	says "Operation not permitted; ask as its user or as root"
	stop_expecting unprivileged 0
fi

# ---- no server ----
helper_start lonely --server "https://localhost:$(free_port)" --control "$W/lonely" -L udp://127.0.0.1:0=udp
helper_udp lonely udp >"$W/address"
expect lonely 10 "nothing listens"
asked 3 --control "$W/lonely" --json
holds 's["state"] == "connecting" and "nothing listens" in s["trouble"] and s["path"]["rung"] is None' "trouble"
holds 's["path"]["connected_after_ms"] is None' "not connected"
asked 3 --control "$W/lonely"
says "^culvert .*: connecting, up" answer
says "^trouble +nothing listens at localhost" answer
stop_expecting lonely 0
[ -e "$W/lonely" ] && fail "the socket was left behind"

# ---- several helpers ----
helper_start second --control "$W/control" -L udp://127.0.0.1:0=udp
helper_udp second udp >"$W/address"
expect second 5 "warn.*no .culvert status. for this one: cannot make the control socket $W/control: another culvert uses it; --control"
expect second 10 "connected to"
asked 0 --control "$W/control" --json
holds 'len(s["forwards"]) == 2' "the first helper"
stop_expecting second 0
asked 0 --control "$W/control"
helper_start second --control "$W/second" -L udp://127.0.0.1:0=udp
helper_udp second udp >"$W/address"
await 5 test -S "$W/second" || fail "the second helper made no socket"
await 10 "$CULVERT" status --control "$W/second" --json >"$W/answer" || fail "the second helper"
asked 0 --control "$W/second" --json
holds 'len(s["forwards"]) == 1' "the second helper"
# One that was killed leaves its socket; the next one takes its place.
stop second KILL 2>/dev/null
asked 1 --control "$W/second"
says "Connection refused; is it running, and with --control there\?"
helper_start third --control "$W/second" -L udp://127.0.0.1:0=udp
helper_udp third udp >"$W/address"
expect third 10 "connected to"
asked 0 --control "$W/second"
# A person who watches is told when it ends, and sees the next one.
launch watcher $PYTHON "$TOP/tests/tools/watch.py" --seconds 2.5 "$CULVERT" status --control "$W/second" --watch
sleep 1.5
stop_expecting third 0
rc=0
finish watcher 20 || rc=$?
[ $rc -eq 1 ] || fail "watching a helper that ended: status $rc: $(cat "$W/watcher.err")"
says "^cannot ask culvert at $W/second: No such file" watcher.out
launch watcher $PYTHON "$TOP/tests/tools/watch.py" "$CULVERT" status --control "$W/second" --watch
rc=0
finish watcher 20 || rc=$?
[ $rc -eq 9 ] || fail "watching nobody: status $rc"
# A program is told by the end of what it reads.
helper_start fourth --control "$W/second" -L udp://127.0.0.1:0=udp
helper_udp fourth udp >"$W/address"
await 5 "$CULVERT" status --control "$W/second" --json >"$W/answer" || fail "the fourth helper"
launch reader "$CULVERT" status --control "$W/second" --watch --json
await 5 grep -q uptime "$W/reader.out" || fail "no lines of the fourth helper"
stop_expecting fourth 0
rc=0
finish reader 5 || rc=$?
[ $rc -eq 1 ] || fail "reading a helper that ended: status $rc"

# ---- where it is unless said ----
mkdir -m 700 "$W/run"
export XDG_RUNTIME_DIR=$W/run
unset RUNTIME_DIRECTORY
asked 1
says "cannot ask culvert at $W/run/culvert/control: No such file or directory; is it running, and with --control there\?"
launch usual "$CULVERT" --state none --server "https://localhost:$SERVER_PORT" --cafile "$W/server.crt" --token-file "$W/token" -L udp://127.0.0.1:0=udp
helper_udp usual udp >"$W/address"
expect usual 10 "connected to"
asked 0 --json
holds 's["state"] == "connected"' "the usual place"
[ "$(stat -c %a "$W/run/culvert")" = 700 ] || fail "the folder's mode is $(stat -c %a "$W/run/culvert")"
stop_expecting usual 0
asked 2 --control relative
says "must be an absolute path"
asked 2 --control "/$(printf 'x%.0s' {1..120})"
says "longer than 107 bytes"
asked 2 --wrong
asked 2 more
rc=0
"$CULVERT" nonsense >"$W/answer" 2>"$W/said" || rc=$?
[ $rc -eq 2 ] || fail "an unknown command ended with $rc"
says "nonsense: not a command"

# ---- the end ----
stop_expecting helper 0
[ -e "$W/control" ] && fail "the socket was left behind"
asked 1 --control "$W/control"
stop_expecting culvertd 0
