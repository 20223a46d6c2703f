#!/usr/bin/env bash
# Whom the helper trusts: directories of certificates, read again on a signal; pins; who re-signs TLS, in log, status and doctor; sealed within it.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
setup_echo

pin_of() { # CERTIFICATE: another way than the code's
	openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64 | sed 's,^,sha256/,'
}
helper() { # NAME ARG...: no --cafile of its own
	local name=$1
	shift
	launch "$name" "$CULVERT" --server "https://localhost:$SERVER_PORT" --token-file "$W/token" --control "$W/$name.sock" -L udp://127.0.0.1:0=udp \
		-L tcp://127.0.0.1:0=sig "$@"
	UDP=$(helper_udp "$name" udp) SIG=$(helper_tcp "$name" sig)
}
certificate() { # NAME EXPRESSION over s, its status, and c, the certificate
	"$CULVERT" status --json --control "$W/$1.sock" >"$W/$1.json"
	$PYTHON -c 'import json, sys; s = json.load(open(sys.argv[1])); c = s["certificate"]; sys.exit(not eval(sys.argv[2]))' "$W/$1.json" "$2" ||
		fail "$1: not so: $2: $(cat "$W/$1.json")"
}
PIN=$(pin_of "$SERVER_CERT")

# ---- a directory, and what people drop into it ----

mkdir "$W/ca"
echo "pay the rent" >"$W/ca/notes.txt"
echo "not a certificate" >"$W/ca/broken.crt"
helper folder --ca-dir "$W/ca" --state "$W/paths.json"
expect folder 10 "broken.crt is not trusted: nothing in PEM format"
expect folder 10 "certificate for localhost is self-signed .*not trusted"
! grep -q notes.txt "$W/folder.err" || fail "a file that is no certificate by its name was read"
openssl x509 -in "$SERVER_CERT" -outform DER -out "$W/ca/Export.CER" # as Windows has it
kill -HUP "${PID[folder]}"
expect folder 10 "connected to localhost:$SERVER_PORT"
passes 5 || fail "nothing passes"
certificate folder 's["state"] == "connected" and c["expected"] == "yes" and c["pin"] == "'"$PIN"'"'
rm "$W/ca/Export.CER"
mv "$W/ca" "$W/elsewhere"
kill -HUP "${PID[folder]}"
expect folder 10 "nothing was reloaded: --ca-dir: cannot read $W/ca: No such file or directory"
passes 5 || fail "a reload that failed broke what was there"
stop_expecting folder 0
grep -q '"issuer": {' "$W/paths.json" || fail "who signed was not remembered: $(cat "$W/paths.json")"
! grep -q "localhost" "$W/paths.json" || fail "a name is in the memory"

# ---- somebody re-signs ----

proxy_start bump squid-bump "443 $SERVER_PORT" "$SERVER_CERT"
through=(--proxy "http://127.0.0.1:${PROXY_PORT[bump]}" --cafile "${PROXY_CA[bump]}")
helper boxed "${through[@]}" --state "$W/paths.json"
expect boxed 10 "info trust: TLS to localhost:$SERVER_PORT is re-signed: .*signed by 'intercepting proxy CA' \(which --cafile trusts\), on other visits by another"
passes 5 || fail "nothing passes"
certificate boxed 'c["expected"] == "no" and c["issuer"].startswith("intercepting proxy CA") and c["pin"] != "'"$PIN"'"'
BOX_PIN=$(json "$W/boxed.json" certificate.pin)
BOX_PIN_RE=${BOX_PIN//+/.}
"$CULVERT" status --control "$W/boxed.sock" | grep -q "^          certificate signed by 'intercepting proxy CA'.*$BOX_PIN_RE" || fail "the text says nothing of it"
stop_expecting boxed 0

# ---- pins ----

helper pinned --cafile "$SERVER_CERT" --state none --pin "$PIN" --pin sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
expect pinned 10 "connected to localhost:$SERVER_PORT"
certificate pinned 'c["expected"] == "yes" and "a pin fits" in c["words"]'
stop_expecting pinned 0
helper refused "${through[@]}" --state none --pin "$PIN"
expect refused 10 "no --pin fits the certificate for localhost, signed by 'intercepting proxy CA' \(which --cafile trusts\).*--seal always.*--pin $BOX_PIN_RE"
! passes 1 || fail "something passes in spite of the pin"
certificate refused 's["state"] == "connecting" and "no --pin fits" in s["trouble"]'
stop_expecting refused 0
# Sealed within TLS the pin is that of the seal, and the box may re-sign what it likes.
cat "${PROXY_CA[bump]}" "$SERVER_CERT" >"$W/both.crt"
through[3]=$W/both.crt
helper sealed "${through[@]}" --state none --pin "$PIN" --seal always
expect sealed 10 "connected to localhost:$SERVER_PORT"
passes 5 || fail "nothing passes sealed within TLS"
signalling check "$SIG" --bytes 50000 || fail "no signalling sealed within TLS"
certificate sealed 's["sealed"] and s["state"] == "connected"'
stop_expecting sealed 0
helper wrong "${through[@]}" --state none --pin "$BOX_PIN" --seal always
expect wrong 10 "no --pin fits the certificate for localhost, .*somebody answers in its place"
! passes 1 || fail "something passes in spite of the seal's pin"
stop_expecting wrong 0

# ---- the doctor ----

doctor() { # NAME ARG...
	launch "$1" "$CULVERT" doctor "https://localhost:$SERVER_PORT" --token-file "$W/token" --seconds 1 --state none "${through[@]}" "${@:2}"
}
says() { # NAME STATUS PATTERN...
	local rc=0 pattern
	finish "$1" 100 || rc=$?
	[ $rc -eq "$2" ] || fail "$1 ended with status $rc: $(cat "$W/$1.out" "$W/$1.err")"
	for pattern in "${@:3}"; do
		grep -q -E "$pattern" "$W/$1.out" || fail "$1 did not say: $pattern: $(cat "$W/$1.out")"
	done
}
doctor doctor-pin --pin "$PIN"
doctor doctor-box
doctor doctor-sealed --pin "$PIN" --seal always
says doctor-pin 1 "BROKEN +TLS +no --pin fits .*$BOX_PIN_RE" "exempt localhost from TLS inspection"
says doctor-box 0 "limited +Certificate +signed by 'intercepting proxy CA'.*TLS is intercepted.*$BOX_PIN_RE.*--seal always"
says doctor-sealed 0 "limited +Certificate " "ok +Server .*, sealed" "Culvert will use .* here, sealed"
