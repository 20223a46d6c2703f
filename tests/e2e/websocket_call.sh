#!/usr/bin/env bash
# Calls over WebSockets: prescribed, directly and through CONNECT.
# seconds: 60
. "$(dirname "$0")/e2e.sh"
setup_calls
call direct websocket
stop_expecting culvertd 0
