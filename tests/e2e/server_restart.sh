#!/usr/bin/env bash
# culvertd restarts in mid-call, in order and by a kill: UDP goes on behind the same local port, TCP is reset.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
credentials_make
targets_start
launch_fed load "$TOOLS/rtpload" --dest - --sink 127.0.0.1:0 --for 12 --warmup 0.5 --drain 1
LOAD_TARGET=$(ready load udp sink) || fail "no load"
services=(--service "udp=udp://$UDP_TARGET" --service "load=udp://$LOAD_TARGET" --service "sig=tcp://$TCP_TARGET")
server_start culvertd "${services[@]}"
helper_echo helper -L udp://127.0.0.1:0=load
passes 10 || fail "nothing passes"
tell load "$(helper_udp helper load) call"
for signal in TERM KILL; do
	exec 5<>"/dev/tcp/127.0.0.1/$(port_of "$SIG")" || fail "cannot connect to the TCP port"
	echo hello >&5
	read -r -t 5 line <&5 && [ "$line" = hello ] || fail "no echo over TCP"
	stop culvertd $signal 2>/dev/null
	await 5 eval '! datagrams probe "$UDP" --seconds 0.2 2>/dev/null' || fail "datagrams pass without a server"
	running helper || fail "the helper ended with the server"
	server_start culvertd "${services[@]}"
	passes 15 || fail "after $signal: nothing passes any more on the same local port"
	# the old TCP connection ends (here as end of file or error), a new one works
	read -r -t 10 line <&5
	[ $? -le 128 ] || fail "after $signal: the old TCP connection hangs"
	exec 5>&-
	signalling check "$SIG" --bytes 1000 || fail "after $signal: no TCP"
done
expect helper 1 "connection to .* reset: "
datagrams sizes "$UDP" || fail "sizes"
# The call that was there all the time, from one local port: it lost what fell into the gaps, and went on both ways.
told load call 30 >"$W/call.json" || fail "no result of the load: $(cat "$W/load.err")"
for way in up down; do
	note "call $way: $(json "$W/call.json" $way.received) of $(json "$W/call.json" $way.sent)"
	check "$(json "$W/call.json" $way.lost)" ">=" 5 "packets lost $way while there was no server"
	check "$(json "$W/call.json" $way.lost)" "<=" 250 "packets lost $way in two restarts"
done
stop_expecting helper 0
stop_expecting culvertd 0
