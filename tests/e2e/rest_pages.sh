#!/usr/bin/env bash
# What server/PAGES.md tells the servers of pages to do: its lines for Node and Python make JWTs that are taken, and so does culvertd jwt.
# seconds: 40
. "$(dirname "$0")/e2e.sh"
credentials_make
"$CULVERTD" gen-token page >"$W/page-token" && chmod 600 "$W/page-token" && cat "$W/page-token" >>"$W/token" || fail "gen-token"
launch target $PYTHON "$TOP/tests/tools/wsservice.py" serve 0
TARGET=$(ready target tcp wsservice) || fail "no target"
printf 'rest = true\norigins = { "https://app.example" }\nservice sig { target = "ws://%s/" }\nservice other { target = "ws://%s/" }\n' "$TARGET" "$TARGET" \
	>"$W/culvertd.conf"
server_start culvertd -c "$W/culvertd.conf"

# The first block of a language in the page, with a line behind it that uses it.
block() { # LANGUAGE
	awk -v begin="\`\`\`$1" '$0 == begin && !seen { on = seen = 1; next } $0 == "```" { on = 0 } on' "$TOP/server/PAGES.md"
}
{ block js && echo 'process.stdout.write(culvertToken(process.argv[2], "sig"));'; } >"$W/token.js"
{ block python && printf 'import sys\nprint(culvert_token(sys.argv[1], "sig"), end="")\n'; } >"$W/token.py"
[ "$(wc -l <"$W/token.js")" -gt 5 ] && [ "$(wc -l <"$W/token.py")" -gt 5 ] || fail "no examples in PAGES.md"

ask() { # STATUS SERVICE
	local status
	status=$(curl -sS --max-time 20 --cacert "$W/server.crt" -X PUT -H @"$W/bearer" -H "Origin: https://app.example" -o "$W/answer" -w '%{http_code}' \
		"https://localhost:$SERVER_PORT/culvert/v1/$(head -c 16 /dev/urandom | base64 | tr +/ -_ | tr -d =)/signal/$2") || fail "curl failed"
	[ "$status" = "$1" ] || fail "$name: $status, not $1: $(cat "$W/answer")"
}
for name in node python culvertd; do
	case $name in
	node) jwt=$(node "$W/token.js" "$W/page-token") ;;
	python) jwt=$($PYTHON "$W/token.py" "$W/page-token") ;;
	culvertd) jwt=$("$CULVERTD" jwt --token-file "$W/page-token" --service sig) ;;
	esac || fail "$name made none"
	echo "Authorization: Bearer $jwt" >"$W/bearer"
	ask 201 sig
	ask 403 other
	echo "Authorization: Bearer ${jwt%?????}AAAAA" >"$W/bearer"
	ask 401 sig
done

# culvertd jwt: what is wrong is said in a sentence, and no token is repeated.
wrong() { # PATTERN ARG...
	local pattern=$1 rc=0
	shift
	"$CULVERTD" jwt "$@" >"$W/wrong" 2>&1 || rc=$?
	[ $rc -eq 2 ] && grep -q -- "^culvertd: jwt: $pattern" "$W/wrong" && [ "$(wc -l <"$W/wrong")" -eq 1 ] || fail "jwt $*: $rc: $(cat "$W/wrong")"
	! grep -q -F "$(sed 's/.*://' "$W/page-token")" "$W/wrong" || fail "jwt $*: it shows the token"
}
wrong "--token-file is missing"
wrong "--token-file: $W/none: No such file" --token-file "$W/none"
wrong "--token-file: that is the name:token line itself" --token-file "$(cat "$W/page-token")"
wrong "--identity: nobody is called 'x'" --token-file "$W/page-token" --identity x
wrong "--service: a service name has 1 to 64 characters" --token-file "$W/page-token" --service 'a"b'
wrong "--expires: must be a number from 1 to 86400, not '86401'" --token-file "$W/page-token" --expires 86401
echo "short:short-token-0123456789" >"$W/short" && chmod 600 "$W/short"
wrong "--identity: its token is shorter than 32 characters" --token-file "$W/short"
wrong "more: not an option" --token-file "$W/page-token" more
"$CULVERTD" jwt --help | grep -q -- "--identity" || fail "no help"
