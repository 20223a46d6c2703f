# Sourced after e2e.sh: calls that go on while something else is done to culvertd, one by a helper that speaks HTTP/1.1, one by one that
# speaks HTTP/2, and what the server is like meanwhile.
#
#   besieged_start [SERVER-ARG...]      culvertd (service load), helpers h1 and h2
#   besieged_begin LABEL SECONDS        a call through each begins
#   besieged_end LABEL                  sets LATE (packets later than 50 ms, or lost, of both calls and directions) and SENT
#   besieged_over                       all ends, in order

besieged_start() {
	local name target
	credentials_make
	for name in h1 h2; do
		launch_fed "load-$name" "$TOOLS/rtpload" --dest - --sink 127.0.0.1:0 --warmup 0.3 --drain 0.5 --deadline 50,150 --quiet
		target=$(ready "load-$name" udp sink) || fail "no far end"
		set -- --service "$name=udp://$target" "$@"
	done
	server_start culvertd "$@"
	DESCRIPTORS=$(descriptors)
	for name in h1 h2; do
		helper_start "$name" --http "$([ $name = h1 ] && echo 1.1 || echo 2)" --rung duplex -L "udp://127.0.0.1:0=$name"
		BESIEGED[$name]=$(helper_udp "$name" "$name")
	done
	for name in h1 h2; do
		expect "$name" 15 "connected to"
	done
	besieged_begin first 1 && besieged_end first
}
declare -A BESIEGED=()

besieged_begin() { # LABEL SECONDS
	local name
	for name in h1 h2; do
		tell "load-$name" "${BESIEGED[$name]} $1 for=$2"
	done
}

besieged_end() { # LABEL
	local name
	for name in h1 h2; do
		told "load-$name" "$1" 40 >"$W/$1.$name.json" || fail "$1: no result of the call through $name"
	done
	read -r LATE SENT < <($PYTHON - "$W/$1.h1.json" "$W/$1.h2.json" <<-'PY'
		import json, sys
		ways = [json.load(open(name))[way] for name in sys.argv[1:] for way in ("up", "down")]
		print(sum(round(way["late50_pct"] * way["sent"] / 100) for way in ways), sum(way["sent"] for way in ways))
	PY
	)
	[ "${SENT:-0}" -gt 0 ] || fail "$1: nothing was sent"
}

# Whether the server gave all back, when the helpers are gone, too.
besieged_over() {
	local name
	for name in h1 h2; do
		stop_expecting $name 0
	done
	await 20 _all_closed || fail "$(descriptors) descriptors are open, not $DESCRIPTORS: connections were not closed"
	stop_expecting culvertd 0
}
_all_closed() { [ "$(descriptors)" -le "$DESCRIPTORS" ]; }

# Sanitizers change times and memory: with them the rest is still true.
besieged_measures() { ! ldd "$CULVERTD" | grep -q -E 'lib[a-z]+san'; }

# Of the server, in KB: now, and the most so far.
resident() { sed -n "s/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p" "/proc/${PID[culvertd]}/status"; }
resident_most() { sed -n "s/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p" "/proc/${PID[culvertd]}/status"; }
descriptors() { find "/proc/${PID[culvertd]}/fd" -mindepth 1 | wc -l; }
