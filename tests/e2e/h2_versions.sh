#!/usr/bin/env bash
# Which version of HTTP is spoken: as configured, as the other side likes it, and HTTP/1.1 where HTTP/2 is agreed to and does not work.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
setup_echo

speaks() { # NAME VERSION [SECONDS]: a helper that is connected
	passes "${3:-10}" || fail "$1: nothing passes"
	"$CULVERT" status --json --control "$W/$1.control" >"$W/$1.json" || fail "$1: no status"
	[ "$(json "$W/$1.json" path.http)" = "$2" ] || fail "$1: it speaks $(json "$W/$1.json" path.http), not $2"
}

helper() { # NAME ARG...
	helper_echo "$@" --rung duplex --control "$W/$1.control"
}

box() { # NAME LIKES ARG...: sets BOX
	local name=$1 likes=$2
	shift 2
	launch "$name" $PYTHON "$TOP/tests/tools/agreeing.py" --cert "$W/server.crt" --key "$W/server.key" --to "127.0.0.1:$SERVER_PORT" --likes "$likes" "$@"
	BOX=$(ready "$name" tcp box) || fail "no box"
}

helper auto
speaks auto HTTP/1.1
stop_expecting auto 0
helper one --http 1.1
speaks one HTTP/1.1
stop_expecting one 0
helper two --http 2
speaks two HTTP/2
"$CULVERT" status --control "$W/two.control" | grep -q "connections: .* open (HTTP/2), at most 10" || fail "the words of the status"
stop_expecting two 0

# curl has its own order, and gets the cover either way.
for version in 1.1 2; do
	got=$(curl -s -o "$W/cover" -w '%{http_version} %{http_code}' --http$version --cacert "$W/server.crt" "https://localhost:$SERVER_PORT/") || fail "curl $version"
	[ "$got" = "$version 404" ] || fail "curl --http$version got $got"
done

# It agrees to HTTP/2 where it likes that, and closes.
box likes2 h2
helper refused --server "https://localhost:${BOX##*:}"
speaks refused HTTP/1.1
[ "$(grep -c "HTTP/2 does not work here" "$W/refused.err")" = 1 ] || fail "the user is not told"
stop_expecting refused 0
# ... and never hears of it with another configuration.
helper never --server "https://localhost:${BOX##*:}" --http 1.1
speaks never HTTP/1.1
! grep -q "HTTP/2" "$W/never.err" || fail "HTTP/2 was tried"
stop_expecting never 0

# One that agrees and says nothing is left as well.
box mute h2 --silent
helper silent --server "https://localhost:${BOX##*:}"
speaks silent HTTP/1.1 20
grep -q "HTTP/2 does not work here" "$W/silent.err" || fail "the user is not told"
stop_expecting silent 0

# A server that knows no HTTP/2 says so in TLS.
launch old openssl s_server -www -accept 127.0.0.1:0 -cert "$W/server.crt" -key "$W/server.key" -alpn http/1.1
await 5 grep -q "^ACCEPT" "$W/old.out" || fail "no server without HTTP/2"
OLD=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' "$W/old.out" | head -1)
helper insists --server "https://localhost:$OLD" --http 2
await 5 grep -q "speaks no version of HTTP that was offered (--http auto" "$W/insists.err" || fail "no clear words: $(cat "$W/insists.err")"
stop_expecting insists 0
stop_expecting culvertd 0
