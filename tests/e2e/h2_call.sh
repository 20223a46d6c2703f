#!/usr/bin/env bash
# Calls over HTTP/2 on each rung, without a proxy: with --http 2, and by ALPN where the server's order is another.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
setup_calls
CELL_HTTP=2
for rung in duplex split push poll auto; do
	call direct $rung
done
stop_expecting culvertd 0
