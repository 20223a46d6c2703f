#!/usr/bin/env bash
# What both ends' status says of calls: on a clean path, with loss, on a path that cannot carry the video.
# seconds: 120
# alone: it measures time
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec "$(dirname "$0")/../lib/namespace.sh" "$0"
. "$(dirname "$0")/e2e.sh"

# A link, a server behind it and a helper before it: NAME LINK-OPTION...
path_begin() {
	local name=$1
	shift
	launch "link-$name" "$TOOLS/linkem" --ns-a near --ns-b far --create --delay 25 "$@"
	await 10 grep -q "^ready link" "$W/link-$name.out" || fail "the link did not come up: $(cat "$W/link-$name.err")"
	launch_fed "load-$name" "$TOOLS/rtpload" --dest - --sink 10.77.0.2:0 --ns near --sink-ns far --warmup 0 --quiet $LOAD
	SERVER_PORT=0
	SERVER_HOST=10.77.0.2 IN=far server_start "server-$name" --service "load=udp://$(ready "load-$name" udp sink)"
	IN=near helper_start "helper-$name" --server "https://10.77.0.2:$SERVER_PORT" --rung duplex --control "$W/control-$name" -L udp://127.0.0.1:0=load
	LOCAL=$(helper_udp "helper-$name" load)
	expect "helper-$name" 20 "connected to .* by duplex"
}

path_end() { # NAME
	stop_expecting "helper-$1" 0
	stop_expecting "server-$1" 0
	stop "load-$1"
	stop "link-$1" || :
}

call() { # NAME SECONDS
	tell "load-$1" "$LOCAL run for=$2"
}

asked() { # NAME: both ends, in both forms
	"$CULVERT" status --control "$W/control-$1" --json >"$W/helper.json" || fail "no status of the helper"
	"$CULVERT" status --control "$W/control-$1" >"$W/helper.text" || fail "no status of the helper"
	"$CULVERTD" status --admin "$W/server-$1.sock" --json >"$W/server.json" || fail "no status of the server"
	"$CULVERTD" status --admin "$W/server-$1.sock" >"$W/server.text" || fail "no status of the server"
	cat "$W/helper.text" "$W/server.text" >&2
}

# A Python expression over h, the helper's status, s, the server's, and m and t, what they say of media.
holds() { # EXPRESSION WHAT
	$PYTHON - "$W" "$1" <<'PY' || fail "$2 ($1): $(cat "$W/helper.json" "$W/server.json")"
import json, sys
h, s = (json.load(open("%s/%s.json" % (sys.argv[1], end))) for end in ("helper", "server"))
m, t = h["media"], s["sessions"][0]["media"]
sys.exit(not eval(sys.argv[2]))
PY
}

says() { # END PATTERN
	grep -q -E -- "$2" "$W/$1.text" || fail "no '$2' in: $(cat "$W/$1.text")"
}

both() { # EXPRESSION over m WHAT: at both ends
	holds "all($1 for m in (m, t))" "$2"
}

SERVER_NAME=10.77.0.2 credentials_make

# ---- loss ----
LOAD=--audio path_begin lossy --loss 3
call lossy 12
sleep 10
asked lossy
both 'm["classes"]["audio"]["sent"] > 300 and m["classes"]["video"]["sent"] == 0' "audio is known"
both 'm["classes"]["audio"]["delay_ms"] < 20 and m["classes"]["audio"]["deadline_ms"] == 200' "audio does not wait"
both 'sum(m["classes"]["audio"]["dropped"].values()) < 30' "hardly anything is dropped"
both '4000 < m["recent_ms"] <= 10000 and m["classes"]["audio"]["recent"]["sent"] > 150' "the last seconds"
both 'm["redundancy"]["on"] and m["redundancy"]["evidence"] > 0 and m["redundancy"]["copies"] > 100' "second copies"
both '0 < m["redundancy"]["left_ms"] <= 30000 and m["redundancy"]["why"] == "losses or stalls are seen"' "why"
both '0.3 < m["redundancy"]["recent"]["again_bytes"] / m["redundancy"]["recent"]["bytes"] < 1.6' "their cost"
both 'm["in_flight"] >= 0 and m["in_flight_bound"] >= 5600 and m["queue_ms"] < 100' "the path"
holds 'len([c for c in h["carriers"] if c["media"]]) >= 4 and t["carriers"] >= 4' "several carriers"
holds 's["media"]["second_copies"] == 1 and s["media"]["overloaded"] == 0 and s["media"]["recent"]["again"] > 100' "all sessions"
holds 's["counters"]["copies_out"] == t["redundancy"]["copies"] and s["counters"]["dropped_repeat"] > 50' "counters of the server"
holds 'h["counters"]["evidence"] >= m["redundancy"]["evidence"]' "counters of the helper"
says helper '^media     [4-8] carriers, second copies on \(losses or stalls are seen, [0-9]+ s left\), \+[0-9]+ % bytes; path queue [0-9]+ ms$'
says helper '^  audio +[0-9]+ +[0-9.]+ +200 +[0-9]+ '
says server '^    media: [4-8] carriers, second copies on \(losses or stalls are seen, '
says server '^  second copies for 1 sessions, '
! grep -q -i "warning" "$W/helper.text" "$W/server.text" || fail "a warning"
path_end lossy

# ---- a path that cannot carry it ----
LOAD="--audio --video 1500" path_begin narrow --rate 700 --queue 1000000
call narrow 12
sleep 10
asked narrow
both 'm["classes"]["video"]["sent"] > 100 and sum(m["classes"]["video"]["dropped"].values()) > 100' "video is dropped"
both 'm["classes"]["video"]["dropped"]["frame"] > 0' "frames"
both 'm["classes"]["audio"]["sent"] > 300 and sum(m["classes"]["audio"]["dropped"].values()) < 10' "audio is not"
both '30000 < m["rate"] < 120000' "what the path carries"
both 'm["queue_ms"] < 400' "no queue on the path"
holds 's["media"]["overloaded"] == 1' "all sessions"
holds 'h["forwards"][0]["dropped"] > 100 and h["channels"][0]["dropped"]["frame"] > 0' "the forward"
says helper '^warning   the path carries about [0-9.]+ [kM]bit/s; video is dropped here \([0-9]+ % of packets\)$'
says server '^    warning: the path carries about .*; video is dropped here'
path_end narrow
