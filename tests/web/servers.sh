# Sourced after harness.sh: the servers that browsers' clients signal with, each by a configuration of its own, below $W.
#
#   janus_start NAME        Janus with its WebSocket transport, echotest and videoroom; sets JANUS_AT (ADDR:PORT)
#   kamailio_start NAME     Kamailio: registrar with passwords and proxy, SIP over WebSocket; sets KAMAILIO_AT
#   app_start NAME ROOT     nginx: the application's own web server: a copy of the files of ROOT, WebSockets of /janus, /sip and /probe (which answers whatever is
#                           sent) passed on; sets APP_AT
#
# Users of SIP: sip:NAME@sip.test, any NAME, password "secret".

WEB=$TOP/tests/web

_serves() { # NAME PORT
	! running "$1" || answers "$2"
}

_configure() { # FILE NAME=VALUE...: the template with @NAME@ replaced
	local each script=()
	for each in "${@:2}"; do
		script+=(-e "s|@${each%%=*}@|${each#*=}|g")
	done
	sed "${script[@]}" "$WEB/servers/$1"
}

# It gathers no candidates where there is no address but the loopback's.
janus_start() { # NAME
	local dir=$W/$1 port lib
	port=$(free_port)
	lib=$(echo /usr/lib/*/janus)
	mkdir -p "$dir"
	_configure janus.jcfg "DIR=$dir" "LIB=$lib" >"$dir/janus.jcfg"
	_configure janus.transport.websockets.jcfg "PORT=$port" >"$dir/janus.transport.websockets.jcfg"
	cp "$WEB/servers/janus.plugin.videoroom.jcfg" "$dir/"
	launch "$1" janus -F "$dir" -C "$dir/janus.jcfg" -o
	await 15 _serves "$1" "$port" && running "$1" || fail "Janus did not start: $(tail -n 5 "$W/$1.out" "$W/$1.err")"
	JANUS_AT=127.0.0.1:$port
}

kamailio_start() { # NAME
	local dir=$W/$1 port
	port=$(free_port)
	mkdir -p "$dir"
	_configure kamailio.cfg "PORT=$port" >"$dir/kamailio.cfg"
	launch "$1" kamailio -DD -E -m 32 -M 8 -Y "$dir" -P "$dir/kamailio.pid" -f "$dir/kamailio.cfg"
	await 15 _serves "$1" "$port" && running "$1" || fail "Kamailio did not start: $(tail -n 5 "$W/$1.err")"
	KAMAILIO_AT=127.0.0.1:$port
}

app_start() { # NAME ROOT
	local dir=$W/$1 port probe
	port=$(free_port)
	mkdir -p "$dir/tmp"
	launch "$1-probe" $PYTHON "$WEB/backend.py"
	probe=$(ready "$1-probe" tcp backend) || fail "no probe"
	_configure app.conf "DIR=$dir" "PORT=$port" "ROOT=$dir/root" "JANUS=$JANUS_AT" "KAMAILIO=$KAMAILIO_AT" "PROBE=$probe" >"$dir/nginx.conf"
	cp -r "$2" "$dir/root" # nobody may not be let into where the project lies
	[ "$(id -u)" -ne 0 ] || chown -R nobody "$dir" 2>/dev/null || :
	AS=nobody launch "$1" nginx -e "$dir/error.log" -p "$dir" -c "$dir/nginx.conf"
	await 15 _serves "$1" "$port" && running "$1" || fail "nginx did not start: $(cat "$dir/error.log")"
	APP_AT=127.0.0.1:$port
}
