# The project's own nasty proxy (tests/zoo/nasty.py). nasty and nasty-tunnel have no fault but those of NASTY="NAME=VALUE ...";
# the others have one each, see the table. Sourced files may use
#   nasty_switch NAME SWITCH=VALUE...    throws switches of a running one
#   nasty_events NAME KIND               how many events of a kind (cut, refused, ...) its log has since the mark

# kind mode switches
NASTY_KINDS='
nasty           intercepted
nasty-tunnel    connect
nasty-cut-age   connect     cut_age=10
nasty-cut-bytes connect     cut_bytes=1000000
nasty-cut-idle  connect     cut_idle=5
nasty-cut-rst   intercepted cut_age=10 cut_how=rst
nasty-limit2    intercepted limit=2
nasty-queue2    intercepted limit=2 over=queue
nasty-half      intercepted half=1
nasty-holdup    intercepted hold_up=16384
nasty-411       intercepted chunked=411
nasty-store     intercepted store=both http10=1 chunked=411 limit=2
nasty-trickle   intercepted trickle=10
nasty-html200   intercepted html200=25
nasty-dup       intercepted store=both chunked=411 duplicate=25
nasty-close     intercepted close=1
nasty-http10    intercepted http10=1
nasty-1xx       intercepted interim=1
nasty-small     intercepted store=up chunked=411 max_body=20000
'

_nasty_row() { # KIND
	awk -v k="$1" '$1 == k' <<<"$NASTY_KINDS" | grep . || fail "no such kind of nasty proxy: $1"
}

nasty_mode() { # KIND
	_nasty_row "$1" | awk '{ print $2 }'
}

_start_nasty() { # NAME KIND PORTS CA DIR PORT
	local address mode=intercept switch arguments=()
	[ "$(nasty_mode "$2")" = intercepted ] || mode=tunnel
	for switch in $(_nasty_row "$2" | cut -d ' ' -f 2- | grep -o -E '[a-z0-9_]+=[^ ]+') ${NASTY:-}; do
		arguments+=(--set "$switch")
	done
	[ $mode = tunnel ] || PROXY_CA[$1]=$5/ca.crt
	PROXY_LOG[$1]=$5/exchanges.log
	launch "$1" $PYTHON "$ZOO/nasty.py" --mode $mode --dir "$5" --listen "${PROXY_LISTEN:-127.0.0.1:0}" --upstream-ca "$4" "${arguments[@]}"
	address=$(ready "$1" tcp nasty) && PROXY_PORT[$1]=$(port_of "$address")
}

_count_nasty() { _count_events; }

nasty_events() { # NAME KIND
	_log_lines "$1" | awk -v k="$2" '$3 == k { n++ } END { print n + 0 }'
}

_nasty_took() { # NAME COUNT
	[ "$(grep -c ' switch ' "${PROXY_LOG[$1]}")" -ge "$2" ]
}

nasty_switch() { # NAME SWITCH=VALUE...
	local name=$1 before
	shift
	before=$(grep -c ' switch ' "${PROXY_LOG[$name]}")
	printf "%s\n" "$@" "#$before" >"$W/$name/control.new" # what is the same as before counts, too
	mv "$W/$name/control.new" "$W/$name/control"
	await 3 _nasty_took "$name" $((before + $#)) || fail "the nasty proxy did not take $*"
}
