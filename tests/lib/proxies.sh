# Sourced after harness.sh: real proxies on loopback, each under a name in a directory of its own.
#
#   proxy_start NAME KIND PORTS [UPSTREAM-CA]   PORTS: "443 8443", what CONNECT may reach; of a reverse proxy: the
#                                               port of the server behind it on this machine
#   proxy_stop NAME
#   proxy_mark NAME                     count from here on
#   proxy_count NAME                    prints "CONNECTS TUNNELS EXCHANGES" since the mark, from the proxy's own log
#   proxy_mode KIND                     prints connect, intercepted, absolute, reverse or transparent: how it takes part
#
# KIND: see tests/zoo/README.md. Each family of kinds is a file in tests/zoo/kinds with
#   _start_FAMILY NAME KIND PORTS CA DIR PORT   writes the configuration, launches, sets PROXY_LOG and PROXY_CA
#   _count_FAMILY KIND                          the log on standard input to "CONNECTS TUNNELS EXCHANGES"
# PROXY_LISTEN=ADDR:0 and IN=NAMESPACE say where (squid, mitmproxy and our own); PROXY_AT=PORT on which port (not our own).
# After proxy_start: ${PROXY_PORT[NAME]}, and ${PROXY_CA[NAME]} where the proxy shows a certificate of its own.

declare -A PROXY_KIND=() PROXY_PORT=() PROXY_CA=() PROXY_LOG=() PROXY_MARK=()
ZOO=$TOP/tests/zoo
for _family in "$ZOO"/kinds/*.sh; do
	. "$_family"
done

_family_of() { # KIND
	case $1 in
	*-front | *-front-*) echo front ;;
	squid*) echo squid ;;
	apache*) echo apache ;;
	privoxy*) echo privoxy ;;
	nasty*) echo nasty ;;
	nginx-* | haproxy-*) echo "${1%%-*}" ;;
	*) echo "${1%-abs}" ;;
	esac
}

proxy_mode() { # KIND
	case $1 in
	*-abs) echo absolute ;;
	*-transparent) echo transparent ;;
	*-front | *-front-* | *-reverse | *-nodelay | *-tuned) echo reverse ;;
	squid-bump | squid-hasty | privoxy-inspect | mitmproxy | storefwd) echo intercepted ;;
	nasty*) nasty_mode "$1" ;;
	*) echo connect ;;
	esac
}

_own() { # DIR: the proxies run as nobody when we are root
	[ "$(id -u)" -ne 0 ] || chown -R nobody "$1" 2>/dev/null || :
}

_proxy_up() { # NAME PORT
	! running "$1" || ${IN:+ip netns exec "$IN"} bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$PROXY_HOST" "$2" 2>/dev/null
}

_launch_proxy() { # NAME KIND PORTS CA: sets PROXY_PORT
	local dir=$W/$1 family
	family=$(_family_of "$2")
	declare -F "_start_$family" >/dev/null || fail "no such kind of proxy: $2"
	PROXY_HOST=${PROXY_LISTEN:-127.0.0.1:0}
	PROXY_HOST=${PROXY_HOST%:*}
	mkdir -p "$dir"
	case $family in
	storefwd | nasty) "_start_$family" "$@" "$dir" 0 ;; # they ask the kernel themselves, and say when they are ready
	*)
		PROXY_PORT[$1]=${PROXY_AT:-$(free_port)}
		"_start_$family" "$@" "$dir" "${PROXY_PORT[$1]}" && await 40 _proxy_up "$1" "${PROXY_PORT[$1]}" && running "$1"
		;;
	esac
}

proxy_start() { # NAME KIND PORTS [UPSTREAM-CA]
	local try
	PROXY_KIND[$1]=$2 PROXY_MARK[$1]=0
	for try in 1 2 3; do # the port may have been taken in the meantime
		_launch_proxy "$1" "$2" "$3" "${4:-}" && return
		stop "$1" || :
	done
	tail -n 20 "$W/$1.err" "$W/$1"/*.log >&2
	fail "$2 did not start"
}

proxy_stop() { # NAME
	stop "$1" || :
}

_log_lines() { # NAME
	tail -n +"$((PROXY_MARK[$1] + 1))" "${PROXY_LOG[$1]}" 2>/dev/null
}

proxy_mark() { # NAME
	PROXY_MARK[$1]=$(cat "${PROXY_LOG[$1]}" 2>/dev/null | wc -l)
}

# connects: requests for a tunnel. tunnels: those whose content the proxy did not see. exchanges: HTTP
# requests that it saw, inside intercepted TLS or not.
proxy_count() { # NAME
	_log_lines "$1" | "_count_$(_family_of "${PROXY_KIND[$1]}")" "${PROXY_KIND[$1]}"
}

# The logs of our own proxies and of mitmproxy's add-on: time, client, kind of event.
_count_events() {
	awk '$3 == "connect" { connects++ } $3 == "tunnel" { tunnels++ } $3 == "exchange" { exchanges++ }
		END { print connects + 0, tunnels + 0, exchanges + 0 }'
}
