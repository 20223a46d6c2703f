#!/usr/bin/env bash
# The page on web servers in front: its configurations pass the programs' checks, spoilt ones do not; a helper finds the best rung through each.
# seconds: 90
. "$(dirname "$0")/e2e.sh"
SERVER_CLEAR=1 setup_echo
FRONT_PORT=$(free_port)
mkdir "$W/check"
front_certificate "$W/check" || fail "no certificate"

# ---- what each program thinks of it ----

check_nginx() { nginx -t -q -e stderr -c "$1" >"$1.said" 2>&1 && [ ! -s "$1.said" ]; }
check_haproxy() { haproxy -c -f "$1" >"$1.said" 2>&1 && ! grep -E "WARNING|ALERT" "$1.said"; }
check_apache() { apache2 -t -f "$1" >"$1.said" 2>&1 && grep -q "Syntax OK" "$1.said" && ! grep -E "AH[0-9]+|warn" "$1.said"; }
# It has no check: in order it goes on running.
check_nghttpx() {
	timeout 0.4 nghttpx --conf="$1" >"$1.said" 2>&1
	[ $? -eq 124 ] && ! grep -E "WARN|ERROR|FATAL" "$1.said"
}

config() { # KIND SED-SCRIPT: into $W/check/conf
	FRONT_EDIT=$2 _front_config "$1" "$W/check" "$FRONT_PORT" "$SERVER_CLEAR_PORT" >"$W/check/conf"
}

for program in nginx haproxy apache nghttpx; do
	for kind in $program-front-stock $program-front; do
		config $kind ""
		"check_$program" "$W/check/conf" || fail "$kind: $(cat "$W/check/conf.said")"
	done
	# Each line of the page matters to the check: one misspelt option, and it fails.
	while read -r number; do
		awk -v n="$number" 'NR == n { sub(/[a-zA-Z0-9_.-]+/, "&_misspelt") } { print }' <(front_block $program) |
			_front_here "$W/check" "$FRONT_PORT" "$SERVER_CLEAR_PORT" | "front_base_$program" "$W/check" "$FRONT_PORT" >"$W/check/bad"
		! "check_$program" "$W/check/bad" >/dev/null || fail "$program: line $number misspelt was not noticed"
	done < <(front_block $program | grep -n -E "^ *[a-zA-Z_]" | grep -v -E "(acl|frontend|backend) |default " | cut -d: -f1)
	note "$program: in order"
done

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
