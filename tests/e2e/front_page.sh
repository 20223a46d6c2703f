#!/usr/bin/env bash
# The page on web servers in front: its configurations pass the programs' checks, spoilt ones do not; a helper finds the best rung through each.
# seconds: 120
. "$(dirname "$0")/e2e.sh"
SOCKET=$W/http.sock
SERVER_CLEAR=1 setup_echo --listen-clear "unix:$SOCKET,mode=0666"
FRONT_PORT=$(free_port)
mkdir "$W/check"
front_certificate "$W/check" || fail "no certificate"

# ---- what each program thinks of it ----

check_nginx() { nginx -t -q -e stderr -c "$1" >"$1.said" 2>&1 && [ ! -s "$1.said" ]; }
check_haproxy() { haproxy -c -f "$1" >"$1.said" 2>&1 && ! grep -E "WARNING|ALERT" "$1.said"; }
check_haproxy-tcp() { check_haproxy "$1"; }
front_base_haproxy-tcp() { printf 'global\n    maxconn 100\n'; cat; }
check_apache() { apache2 -t -f "$1" >"$1.said" 2>&1 && grep -q "Syntax OK" "$1.said" && ! grep -E "AH[0-9]+|warn" "$1.said"; }
# It has no check: in order it goes on running.
check_nghttpx() {
	timeout 0.4 nghttpx --conf="$1" >"$1.said" 2>&1
	[ $? -eq 124 ] && ! grep -E "WARN|ERROR|FATAL" "$1.said"
}

config() { # KIND: into $W/check/conf
	_front_config "$1" "$W/check" "$FRONT_PORT" "$SERVER_CLEAR_PORT" >"$W/check/conf"
}

whole() { # PROGRAM BLOCK-FILE: with what stands around it
	_front_here "$W/check" "$FRONT_PORT" "$SERVER_CLEAR_PORT" <"$2" | "front_base_$1" "$W/check" "$FRONT_PORT"
}

seen=$(sed -n 's/^```\([a-z-][a-z-]*\)$/\1/p' "$FRONT_PAGE" | sort | xargs)
[ "$seen" = "apache culvertd haproxy haproxy-tcp nghttpx nginx" ] || fail "other configurations than expected: $seen"
for program in nginx haproxy apache nghttpx haproxy-tcp; do
	if [ $program != haproxy-tcp ]; then
		config $program-front-stock
		"check_$program" "$W/check/conf" || fail "$program, stock: $(cat "$W/check/conf.said")"
	fi
	whole $program <(front_block $program) >"$W/check/conf"
	"check_$program" "$W/check/conf" || fail "$program: $(cat "$W/check/conf.said")"
	# Each line of the page matters to the check: one misspelt option, and it fails.
	while read -r number; do
		whole $program <(front_block $program | awk -v n="$number" 'NR == n { sub(/[a-zA-Z0-9_.-]+/, "&_misspelt") } { print }') >"$W/check/bad"
		! "check_$program" "$W/check/bad" >/dev/null || fail "$program: line $number misspelt was not noticed"
	done < <(front_block $program | grep -n -E "^ *[a-zA-Z_]" | grep -v -E "(acl|frontend|backend) |default " | cut -d: -f1)
	note "$program: in order"
done

front_block culvertd | sed "s,/etc/culvert/tokens,$W/token," >"$W/culvertd.conf"
"$CULVERTD" --check -c "$W/culvertd.conf" >"$W/culvertd.said" 2>&1 || fail "culvertd: $(cat "$W/culvertd.said")"
# What the README has of it is part of the page.
sed -n '/^    location \/culvert\/ {/,/^    }/p' "$TOP/README.md" >"$W/readme"
[ "$(wc -l <"$W/readme")" -ge 8 ] || fail "the README has no configuration of nginx"
while read -r line; do
	[ "$line" = "proxy_pass http://127.0.0.1:8080;" ] || front_block nginx | grep -q -F -- "$line" || fail "in the README, but not on the page: $line"
done <"$W/readme"

# ---- a helper through each ----

best() { # KIND: the rung that it is to find
	case $1 in
	apache-front) echo websocket ;;
	*) echo duplex ;;
	esac
}

kinds="nginx-front haproxy-front apache-front nghttpx-front"
for kind in $kinds; do
	proxy_start $kind $kind "$SERVER_CLEAR_PORT"
	helper_start "helper-$kind" --server "https://localhost:${PROXY_PORT[$kind]}" --cafile "${PROXY_CA[$kind]}" -L udp://127.0.0.1:0=udp -L tcp://127.0.0.1:0=sig \
		--control "$W/$kind.control"
done
rung_is() { # KIND RUNG
	"$CULVERT" status --json --control "$W/$1.control" >"$W/$1.json" 2>"$W/$1.said" && [ "$(json "$W/$1.json" path.rung)" = "$2" ]
}
for kind in $kinds; do
	await 25 rung_is $kind "$(best $kind)" || fail "$kind: $(json "$W/$kind.json" path.rung), not $(best $kind): $(json "$W/$kind.json" path.why)"
	UDP=$(helper_udp "helper-$kind" udp)
	passes 5 || fail "$kind: no datagram came back"
	signalling check "$(helper_tcp "helper-$kind" sig)" --bytes 300000 --timeout 20 >"$W/$kind.sig" || fail "$kind: signalling: $(cat "$W/$kind.sig")"
	stop_expecting "helper-$kind" 0
	proxy_stop $kind
	note "$kind: $(json "$W/$kind.json" path.rung) by HTTP/$(proxy_versions $kind)"
	[ "$(proxy_versions $kind)" = 2.0 ] || fail "$kind: spoke HTTP/$(proxy_versions $kind), not HTTP/2"
done

# ---- by the Unix socket, and with TLS left to culvertd ----

# What the page says to write instead, by a sed script.
by_socket() { # PROGRAM
	local text
	text=$(sed -n "s,^\* $1: \`\(.*\)\`\$,\1,p" "$FRONT_PAGE" | sed "s,/run/culvert/http.sock,$SOCKET,; s/tunnel.example/localhost/")
	[ -n "$text" ] || fail "the page does not tell of $1 and a Unix socket"
	case $1 in
	nginx) echo "s#server 127.0.0.1:$SERVER_CLEAR_PORT;#$text#" ;;
	haproxy) echo "s#server culvertd 127.*#$text#" ;;
	apache) echo "s#\"http://127[^ ]*\"#$text#" ;;
	nghttpx) echo "s#^backend=127.*#$text#" ;;
	esac
}

for program in nginx haproxy apache nghttpx; do
	FRONT_EDIT=$(by_socket $program) proxy_start $program-unix $program-front "$SERVER_CLEAR_PORT"
	! grep -q "127.0.0.1[:,]$SERVER_CLEAR_PORT" "$W/$program-unix/front.conf" || fail "$program: the Unix socket is not in its configuration"
	helper_echo helper-$program-unix --server "https://localhost:${PROXY_PORT[$program-unix]}" --cafile "${PROXY_CA[$program-unix]}"
	passes 10 || fail "$program: nothing passes by the Unix socket: $(tail -n 2 "$W/helper-$program-unix.err")"
	stop_expecting helper-$program-unix 0
	proxy_stop $program-unix
done
note "Unix sockets: in order"

PASSED=$(free_port)
SERVER_PORT=0 server_start passed --service "udp=udp://$UDP_TARGET" --service "sig=tcp://$TCP_TARGET" --listen "127.0.0.1:$PASSED,proxy-protocol"
whole haproxy-tcp <(front_block haproxy-tcp | sed "s/127.0.0.1:8443/127.0.0.1:$PASSED/") >"$W/tcp.conf"
launch haproxy-tcp haproxy -db -f "$W/tcp.conf"
await 5 answers "$FRONT_PORT" || fail "haproxy-tcp: $(cat "$W/haproxy-tcp.err")"
helper_echo helper-tcp --server "https://localhost:$FRONT_PORT" --cafile "$W/server.crt"
passes 10 || fail "haproxy-tcp: nothing passes: $(tail -n 2 "$W/helper-tcp.err" "$W/passed.err")"
stop_expecting helper-tcp 0
note "TLS left to culvertd: in order"
