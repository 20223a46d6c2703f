# Sourced by the end-to-end tests, the demo and the benchmark (bash).
# Programs run in the background under names; each has $W/NAME.out, NAME.err and NAME.pid.
# At the exit, however it comes about, exactly these are ended.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PYTHON=/usr/bin/python3
PROXIES=$TOP/tests/proxies MEDIA=$TOP/tests/media
# Where make put the programs; it says so in the environment.
BUILD=${BUILD:-$TOP/build/gcc}
TOOLS=$BUILD/tests/tools CULVERT=$BUILD/culvert CULVERTD=$BUILD/culvertd
export PYTHONDONTWRITEBYTECODE=1
# What this machine's own network needs is nothing to the networks that tests make.
unset HTTPS_PROXY https_proxy HTTP_PROXY http_proxy ALL_PROXY all_proxy NO_PROXY no_proxy
unset XDG_CURRENT_DESKTOP DESKTOP_SESSION GNOME_DESKTOP_SESSION_ID KDE_FULL_SESSION
PATH=$PATH:/usr/sbin:/sbin

declare -A PID=()

fail() { # message
	echo "FAILED: $*" >&2
	exit 1
}

note() { # progress, for the log
	printf '%s  %s\n' "$(date +%T.%3N)" "$*" >&2
}

# Makes the work directory $W (or takes the one given) and the exit trap. Call once, first.
work_begin() { # [DIR]
	SELF=$BASHPID
	W=${1:-$(mktemp -d "${TMPDIR:-/tmp}/culvert-test.XXXXXX")}
	mkdir -p "$W"
	chmod 755 "$W" # proxies run as nobody
	trap 'rc=$?; trap "" INT TERM; work_end; exit $rc' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

work_end() {
	local name
	for name in "${!PID[@]}"; do # all at once, then one after the other
		! ours "${PID[$name]}" || kill -TERM "${PID[$name]}" 2>/dev/null
	done
	for name in "${!PID[@]}"; do
		stop "$name" || :
	done
}

# A child of the shell that began the work, and still running? Then its number cannot be anybody else's.
ours() { # pid
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
	set -- ${stat##*) }
	[ "$1" != Z ] && [ "$2" = "$SELF" ]
}

# Starts a program. AS=nobody runs it unprivileged when we are root; IN=NAMESPACE in a network namespace;
# FROM=FILE is its standard input.
launch() { # NAME COMMAND...
	local name=$1
	shift
	if [ -n "${AS:-}" ] && [ "$(id -u)" -eq 0 ]; then
		if setpriv --reuid "$AS" --clear-groups true 2>/dev/null; then
			set -- setpriv --reuid "$AS" --regid "$(id -g "$AS")" --clear-groups "$@"
		elif unshare -U --map-user=1000 --map-group=1000 true 2>/dev/null; then # root of a user namespace only
			set -- unshare -U --map-user=1000 --map-group=1000 "$@"
		fi
	fi
	if [ -n "${IN:-}" ]; then
		set -- ip netns exec "$IN" "$@"
	fi
	"$@" >>"$W/$name.out" 2>>"$W/$name.err" <"${FROM:-/dev/null}" &
	PID[$name]=$!
	echo $! >"$W/$name.pid"
}

# Starts a program that is told what to do on its standard input: tell NAME LINE.
declare -A FED=()
launch_fed() { # NAME COMMAND...
	local fd
	mkfifo "$W/$1.in"
	exec {fd}<>"$W/$1.in"
	FED[$1]=$fd
	FROM=$W/$1.in launch "$@"
}

tell() { # NAME LINE
	echo "$2" >&"${FED[$1]}"
}

# The line of JSON with a label that a program has printed, when it has.
told() { # NAME LABEL SECONDS
	await "$3" grep -q -F "\"label\":\"$2\"" "$W/$1.out" && grep -F "\"label\":\"$2\"" "$W/$1.out"
}

# Ends a program and gives its exit status (128 + signal if it had to be killed).
stop() { # NAME [SIGNAL [SECONDS]]
	local pid=${PID[$1]:-} until=$((SECONDS + ${3:-5})) rc=0
	[ -n "$pid" ] || return 0
	unset "PID[$1]"
	if ours "$pid"; then
		kill -CONT "$pid" 2>/dev/null
		kill -"${2:-TERM}" "$pid" 2>/dev/null
		while ours "$pid" && [ $SECONDS -le $until ]; do
			sleep 0.02
		done
		if ours "$pid"; then
			kill -KILL "$pid" 2>/dev/null
		fi
	fi
	wait "$pid" 2>/dev/null || rc=$?
	return $rc
}

# Waits for a program that ends by itself; gives its exit status, 124 when it does not.
finish() { # NAME SECONDS
	local pid=${PID[$1]} until=$((SECONDS + $2)) rc=0
	while ours "$pid"; do
		[ $SECONDS -le $until ] || return 124
		sleep 0.05
	done
	wait "$pid" || rc=$?
	unset "PID[$1]"
	return $rc
}

running() { # NAME
	[ -n "${PID[$1]:-}" ] && ours "${PID[$1]}"
}

# Repeats a command until it succeeds.
await() { # SECONDS COMMAND...
	local until=$(($(date +%s%N) + $1 * 1000000000))
	shift
	until "$@"; do
		[ "$(date +%s%N)" -lt $until ] || return 1
		sleep 0.05
	done
}

# The address of the Nth (1) ready line of a kind and a name, waiting for it while the program runs.
ready() { # NAME KIND WHAT [N]
	local until=$((SECONDS + ${READY_SECONDS:-15})) line alive
	while [ $SECONDS -le $until ]; do
		running "$1" && alive=1 || alive=
		line=$(awk -v k="$2" -v w="$3" -v n="${4:-1}" '$1 == "ready" && $2 == k && $4 == w && ++i == n {print $3}' "$W/$1.out" 2>/dev/null)
		if [ -n "$line" ]; then
			echo "$line"
			return
		fi
		[ -n "$alive" ] || break
		sleep 0.02
	done
	echo "$1 did not become ready ($2 $3):" >&2
	tail -n 20 "$W/$1.err" "$W/$1.out" >&2
	return 1
}

port_of() { # ADDR:PORT
	echo "${1##*:}"
}

# Does a file (of a program under name NAME: its .err) hold a line like that, in time?
expect() { # NAME SECONDS PATTERN
	await "$2" grep -q -E -- "$3" "$W/$1.err" && return
	echo "$1 did not say: $3" >&2
	tail -n 20 "$W/$1.err" >&2
	fail "no such message from $1"
}

# A free TCP port for programs that cannot ask the kernel themselves.
free_port() {
	$PYTHON -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

answers() { # PORT
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A value out of a JSON line: json FILE up.lost
json() { # FILE PATH
	$PYTHON -c '
import json, sys
value = json.loads([line for line in open(sys.argv[1]) if line.startswith("{")][-1])
for key in sys.argv[2].split("."):
    value = value[key]
print(value)' "$1" "$2"
}

# Compares numbers: check "$p50" "<=" 10 "the median"
check() { # VALUE OPERATOR VALUE WHAT
	awk -v a="$1" -v b="$3" "BEGIN { exit !(a + 0 $2 b + 0) }" || fail "$4: $1, expected $2 $3"
}
