# Sourced after harness.sh, proxies.sh and culvert.sh: one cell of the demo's table, a call through a proxy on a rung.
#
# A lane has the far ends of its calls, which stay for all its cells:
#   lane_start                starts voice.py and rtpload; sets VOICE_TARGET and LOAD_TARGET for culvertd's services
#   cell_run NAME PROXY RUNG  PROXY: a name of proxies.sh, or "direct"; writes $W/NAME.json
#
# The cell's services are called $LANE-voice and $LANE-load (UDP) and sig (TCP). For a proxy that wants credentials: PROXY_USER (and
# $W/proxy-password), PROXY_NAME (instead of 127.0.0.1), PROXY_ARGUMENTS.
# CELL_HTTP: the version of HTTP that the helper is to speak.
# CELL_KIND: which kind it is here, when a proxy takes part in another way than its kind does.

lane_start() {
	launch_fed voice $PYTHON "$MEDIA/voice.py" --dir "$W" --seconds "${CALL_SECONDS:-4}"
	launch_fed load "$TOOLS/rtpload" --dest - --sink 127.0.0.1:0 --for "${CALL_SECONDS:-4}" --warmup 0.3 --drain 0.7 --quiet
	VOICE_TARGET=$(ready voice udp voice) LOAD_TARGET=$(ready load udp sink)
	[ -n "$VOICE_TARGET" ] && [ -n "$LOAD_TARGET" ] || fail "the far ends did not start"
}

# Whom a helper trusts behind a proxy, and where the server is without TLS.
cell_trust() { # PROXY
	case ${PROXY_KIND[$1]} in
	*-abs) echo --cafile "$SERVER_CERT" ;;
	*) echo --cafile "${PROXY_CA[$1]:-$SERVER_CERT}" ;;
	esac
	[ -z "${SERVER_HTTP_PORT:-}" ] || echo --server-http "http://${SERVER_NAME:-localhost}:$SERVER_HTTP_PORT"
}

_cell_helper() { # NAME PROXY RUNG
	local arguments=(--rung "$3" ${CELL_HTTP:+--http "$CELL_HTTP"})
	if [ "$2" = direct ]; then
		arguments+=(--cafile "$SERVER_CERT")
	elif [ "$(proxy_mode "${PROXY_KIND[$2]}")" = reverse ]; then
		arguments+=(--server "https://localhost:${PROXY_PORT[$2]}" --cafile "${PROXY_CA[$2]}")
	else
		arguments+=(--proxy "http://${PROXY_USER:+${PROXY_USER//\\/%5C}@}${PROXY_NAME:-127.0.0.1}:${PROXY_PORT[$2]}" ${PROXY_ARGUMENTS:-})
		arguments+=($(cell_trust "$2"))
		[ -z "${PROXY_USER:-}" ] || arguments+=(--proxy-password-file "$W/proxy-password")
		[ "$(_family_of "${PROXY_KIND[$2]}")" != storefwd ] || [ "$3" = auto ] || arguments+=(--connections 2)
	fi
	helper_start "$1" "${arguments[@]}" -L "udp://127.0.0.1:0=$LANE-voice" -L "udp://127.0.0.1:0=$LANE-load" -L tcp://127.0.0.1:0=sig
}

# Result in $W/NAME.out. In the background, so that a signal is heeded at once.
_cell_echo() { # NAME ADDRESS ARG...
	launch "$1" $PYTHON "$TOP/tests/tools/signalling.py" check "${@:2}"
	finish "$1" 60
}

# Voice, load and signalling at the same time through one helper.
_cell_traffic() { # NAME
	local voice load sig
	voice=$(helper_udp "$1" "$LANE-voice") load=$(helper_udp "$1" "$LANE-load") sig=$(helper_tcp "$1" sig)
	_cell_echo "$1.first" "$sig" --bytes 2000 --timeout 15 || return 1 # the path stands
	tell voice "$voice $1"
	tell load "$load $1"
	_cell_echo "$1.signalling" "$sig" --bytes 100000 --seconds 3 --timeout 20
	told load "$1" 40 >"$W/$1.load" && told voice "$1" 60 >"$W/$1.voice"
}

# What a helper leaves in the log of its proxy comes when its connections end.
_cell_settled() { # PROXY: its log has not grown for a while
	local before
	before=$(wc -c <"${PROXY_LOG[$1]}")
	sleep 0.3
	[ "$(wc -c <"${PROXY_LOG[$1]}")" = "$before" ]
}

cell_run() { # NAME PROXY RUNG
	local why= counts="0 0 0"
	[ "$2" = direct ] || proxy_mark "$2"
	_cell_helper "$1" "$2" "$3"
	_cell_traffic "$1" || why="no signalling echo"
	stop "$1" || why=${why:-"the helper ended with status $?"}
	if [ "$2" != direct ]; then
		await 5 _cell_settled "$2"
		counts=$(proxy_count "$2")
	fi
	$PYTHON "$TOP/tests/lib/cell.py" result "$W" "$1" "$2" "$3" "$counts" "$why" "${CELL_KIND:-${PROXY_KIND[$2]:-direct}}" >"$W/$1.json"
}
