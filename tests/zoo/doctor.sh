#!/usr/bin/env bash
# The doctor at one row of the zoo: doctor.sh KIND FILE. It examines the way through that proxy with no flag but --proxy and
# --cafile; FILE is what it says, as JSON, or nothing. ZOO_DIR: where this works; stays.
. "$(dirname "$0")/rows.sh"
. "$(dirname "$0")/../lib/harness.sh"
. "$TOP/tests/lib/culvert.sh"
. "$TOP/tests/lib/proxies.sh"
. "$TOP/tests/lib/kerberos.sh"
. "$TOP/tests/zoo/lib.sh"
set -u
KIND=$1 FILE=$(realpath -m "$2")
unset ZOO_RUNG
[ "$KIND" != squid-strict ] || zoo_own_network "$0" "$@"
work_begin "${ZOO_DIR:-}"

credentials_make
[ "$KIND" != squid-strict ] || SERVER_PORT=443
SERVER_PLAIN=1 SERVER_CLEAR=1 server_start culvertd --service "load=udp://127.0.0.1:9"
zoo_proxy "$KIND"
case ${REACH[0]} in
--server) ;;
*) REACH=(--server "https://localhost:$SERVER_PORT" "${REACH[@]}") ;;
esac
launch doctor "$CULVERT" doctor "${REACH[@]}" --token-file "$W/token" --json --seconds 1
finish doctor 100 || echo "the doctor ended with status $?: $(tail -n 1 "$W/doctor.err")" >&2
cp "$W/doctor.out" "$FILE"
[ -n "${ZOO_DIR:-}" ] || rm -rf "$W"
