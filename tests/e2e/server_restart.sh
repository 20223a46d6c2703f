#!/usr/bin/env bash
# culvertd restarts in mid-call, in order and by a kill: UDP goes on behind the same local port, TCP is reset.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
setup_echo
helper_echo helper
passes 10 || fail "nothing passes"
for signal in TERM KILL; do
	exec 5<>"/dev/tcp/127.0.0.1/$(port_of "$SIG")" || fail "cannot connect to the TCP port"
	echo hello >&5
	read -r -t 5 line <&5 && [ "$line" = hello ] || fail "no echo over TCP"
	stop culvertd $signal
	await 5 eval '! datagrams probe "$UDP" --seconds 0.2 2>/dev/null' || fail "datagrams pass without a server"
	running helper || fail "the helper ended with the server"
	server_start culvertd --service "udp=udp://$UDP_TARGET" --service "sig=tcp://$TCP_TARGET"
	passes 15 || fail "after $signal: nothing passes any more on the same local port"
	# the old TCP connection ends (here as end of file or error), a new one works
	read -r -t 10 line <&5
	[ $? -le 128 ] || fail "after $signal: the old TCP connection hangs"
	exec 5>&-
	signalling check "$SIG" --bytes 1000 || fail "after $signal: no TCP"
done
expect helper 1 "connection to .* reset: "
datagrams sizes "$UDP" || fail "sizes"
stop_expecting helper 0
stop_expecting culvertd 0
