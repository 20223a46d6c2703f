#!/usr/bin/env bash
# What a browser's bundle is taken for: by itself, by the payload types and classes of services, by DSCP, by wishes of a forward.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
credentials_make
targets_start
cat >"$W/culvertd.conf" <<END
service plain { target = "udp://$UDP_TARGET" }
service types { target = "udp://$UDP_TARGET" audio-payload-types = { 96, 97 } video-payload-types = 111 }
service video { target = "udp://$UDP_TARGET" class = video }
END
server_start culvertd -c "$W/culvertd.conf"

# Sends a bundle by a helper of its own; then both ends must have sent that many of each class. Everything comes back.
sends() { # FORWARD CONTROL AUDIO VIDEO BULK [DSCP]
	local name=${1//[=,]/-}${6:-} port echoes
	helper_start "$name" --rung duplex --control "$W/control" -L "udp://127.0.0.1:0=$1"
	port=$(helper_udp "$name" "${1%%,*}")
	datagrams probe "$port" --seconds 10 2>/dev/null || fail "$1: nothing passes"
	"$CULVERT" status --control "$W/control" --json >"$W/before"
	"$CULVERTD" status --admin "$W/culvertd.sock" --json >"$W/before.server"
	echoes=$($PYTHON "$TOP/tests/tools/bundle.py" "$port" --dscp "${6:-0}")
	[ "$echoes" -eq 290 ] || fail "$1: $echoes of 290 packets came back"
	"$CULVERT" status --control "$W/control" --json >"$W/after"
	"$CULVERTD" status --admin "$W/culvertd.sock" --json >"$W/after.server"
	$PYTHON - "$W" "$2" "$3" "$4" "$5" "${6:-0}" <<'END' || fail "$1: other classes than expected"
import json, sys
where, want = sys.argv[1], dict(zip(("control", "audio", "video", "bulk"), map(int, sys.argv[2:])))
load = lambda name: json.load(open(f"{where}/{name}"))
sid = load("after")["session"]["tag"]
def helper(name):
    return load(name)["media"]["classes"]
def server(name):
    return next(s for s in load(name + ".server")["sessions"] if s["sid"].startswith(sid))["media"]["classes"]
for end in helper, server:
    if end is server and sys.argv[6] != "0":
        break  # echoes are not marked
    sent = {name: c["sent"] - end("before")[name]["sent"] for name, c in end("after").items()}
    if sent != want:
        sys.exit(f"{end.__name__} sent {sent}, not {want}")
END
	stop_expecting "$name" 0
}

sends plain 20 100 150 20
sends types 20 150 100 20
sends video 20 0 270 0
sends plain,class=bulk 0 0 0 290
sends plain,class=audio 20 270 0 0
sends plain 20 0 270 0 34	# AF41
sends plain 20 0 0 270 8	# CS1
