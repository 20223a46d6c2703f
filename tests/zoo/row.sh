#!/usr/bin/env bash
# One row of the zoo's matrix: row.sh KIND FILE. A call, signalling and the first packet through one proxy, with no rung
# given; writes the row as JSON. By the environment: ZOO_SECONDS, ZOO_ENGINE_IO (0: not), ZOO_RUNG (forces a rung, to compare),
# ZOO_DIR (where it works; stays).
. "$(dirname "$0")/rows.sh"
. "$(dirname "$0")/../lib/harness.sh"
. "$TOP/tests/lib/culvert.sh"
. "$TOP/tests/lib/proxies.sh"
. "$TOP/tests/lib/kerberos.sh"
. "$TOP/tests/zoo/lib.sh"
set -u
KIND=$1 FILE=$(realpath -m "$2")
[ "$KIND" != squid-strict ] || zoo_own_network "$0" "$@"
work_begin "${ZOO_DIR:-}"
zoo_seconds "$KIND"

zoo_far_ends
[ "$KIND" != squid-strict ] || SERVER_PORT=443
zoo_server
zoo_proxy "$KIND"
zoo_call "$KIND" "${ZOO_ENGINE_IO:-$(zoo_more "$KIND" eio 0)}"
zoo_result "$KIND" "$(zoo_rungs "$KIND")" "$FILE"
[ -n "${ZOO_DIR:-}" ] || rm -rf "$W"
