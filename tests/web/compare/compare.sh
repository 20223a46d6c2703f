#!/usr/bin/env bash
# Signalling from a browser, side by side: engine.io by polling, SockJS, Janus' REST long poll and CulvertSocket with culvertd, through the same
# proxies in one run; a Chromium for each path.
#
#     compare.sh [-o RESULT.json] [PATH...]
#
# PATH: none, squid, squid-bump, storefwd, mitmproxy, nginx-reverse, or one of them with +25: behind a link of 25 ms each way.
# WEB_SYSTEMS=NAME,... (see run.py), WEB_REPEATS (3), WEB_QUICK=1: few messages,
# WEB_ONLY=MEASURE,...: latency, echo, flood (up), flooded (down), window (answers). The exit status tells whether what report.py asserts holds.
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec "$(dirname "$0")/../../lib/namespace.sh" "$0" "$@"
fi
set -u
. "$(dirname "$0")/../../lib/harness.sh"
. "$TOP/tests/lib/proxies.sh"
. "$TOP/tests/lib/culvert.sh"
. "$TOP/tests/web/compare/ends.sh"
RESULT=
[ "${1:-}" != -o ] || { RESULT=$(realpath -m "$2"); shift 2; }
PATHS=("$@")
[ $# -gt 0 ] || PATHS=(none squid squid-bump storefwd mitmproxy nginx-reverse storefwd+25)
work_begin ${WEB_DIR:-}
compare_ends

# Through one path; $W/KIND.result
compare_path() { # PATH
	local kind=${1%+*} delay= dir=$W/on-$1 reach=() first=()
	[ "$kind" = "$1" ] || delay=+${1##*+}
	mkdir -p "$dir"
	[ -z "$delay" ] || first=(ip netns exec near)
	[ -z "$delay" ] || compare_link "${delay#+}"
	compare_proxy "$kind" "$delay"
	[ -z "${WEB_QUICK:-}" ] || reach+=(--quick)
	[ -z "${WEB_SYSTEMS:-}" ] || reach+=(--systems "$WEB_SYSTEMS")
	[ -z "${WEB_ONLY:-}" ] || reach+=(--only "$WEB_ONLY")
	[ -z "$PROXY" ] || reach+=(--proxy "$PROXY")
	note "$1"
	launch "run-$1" "${first[@]}" $PYTHON "$TOP/tests/web/compare/run.py" --dir "$dir" --where "$WHERE" --out "$W/$1.result" --name "$1" --site-port "${PORTS[site]}" \
		--repeats "${WEB_REPEATS:-3}" "${reach[@]}"
	finish "run-$1" 3600 || fail "$1: $(tail -n 5 "$W/run-$1.err")"
	cat "$W/run-$1.err" >&2
	compare_proxies_stop
	[ -z "$delay" ] || stop link || :
}

for path in "${PATHS[@]}"; do
	compare_path "$path"
done
[ -z "$RESULT" ] || mkdir -p "$(dirname "$RESULT")"
cd "$W" && $PYTHON "$TOP/tests/web/compare/report.py" ${RESULT:+-o "$RESULT"} "${PATHS[@]/%/.result}"
