#!/usr/bin/env bash
# Some rows of the zoo, no rung given: 443 only, intercepted, whole bodies, a stock reverse proxy, half duplex; each finds its best rung.
# seconds: 100
. "$(dirname "$0")/e2e.sh"
ZOO_ENGINE_IO=0 ZOO_DOCTORS=0 ZOO_SECONDS=5 TMPDIR=$W "$ZOO/zoo.sh" -o "$W/zoo.json" squid-strict squid-bump mitmproxy nginx-reverse nasty-half ||
	fail "a row is not as it should be"
