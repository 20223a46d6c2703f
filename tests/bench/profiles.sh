# Sourced by bench.sh: which cells a profile measures, as "NET:LOAD:SYSTEM,SYSTEM".
PEERS=coturn,openvpn,tls

_goals() { # SYSTEMS of cells over a link: those that the goals name
	local net
	for net in 25/1 25/2 25/5 25/ge2 75/2; do
		echo "$net:call:$1"
	done
	echo "25/2:calls10:$1" "25/1/300:call:$1" "25/0:download:$1" "25/0:video-over:$1"
}

_processors() { # SYSTEMS
	echo "clean:call:$1" "clean:calls10:duplex,duplex-h2,websocket" "clean:calls100:$1,duplex-h2,websocket" "clean:flood200:$1" "clean:flood1200:$1"
}

profile_short() {
	_goals coturn,tls,duplex+single,duplex
	echo 25/0:call:duplex+single,duplex
	_processors coturn,tls,duplex
}

profile_must() {
	_goals raw,$PEERS,duplex+single,duplex,duplex+untuned,duplex+squid-far,duplex+squid-near
	echo 25/0:call:raw,$PEERS,duplex+single,duplex
	_processors $PEERS,duplex
}

profile_full() {
	local net load
	for net in ${BENCH_NETS:-25/0 25/1 25/2 25/5 25/ge2 75/0 75/1 75/2 75/5 75/ge2}; do
		for load in ${BENCH_LOADS:-call calls10 video download}; do
			echo "$net:$load:${BENCH_SYSTEMS:-raw,$PEERS,duplex+single,duplex,push,poll}"
		done
	done
	[ -n "${BENCH_NETS:-}" ] || _processors $PEERS,duplex
}
