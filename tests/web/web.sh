# Sourced by end-to-end tests with a browser, after e2e.sh: the library, the backend, a culvertd with its services.
WEB=$TOP/tests/web
LIBRARY=$TOP/client/web/dist
BACKEND_PATHS="echo plain do first shut refuse slow hang record"
chromium_port() { # a port that is free, for a web server whose origin is configured before it runs
	$PYTHON -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The library as it is built; the backend; a culvertd for pages of these origins. Sets BACKEND (ADDR:PORT), BASE, BEARER.
setup_web() { # ORIGINS ("a", "b") SERVER-ARG...
	local origins=$1 path
	shift
	flock "$TOP/client/web/package.json" make -s -C "$TOP" web >"$W/web.err" 2>&1 || fail "the library cannot be built: $(cat "$W/web.err")"
	[ -s "$W/token" ] || credentials_make
	launch backend $PYTHON "$WEB/backend.py"
	BACKEND=$(ready backend tcp backend) || fail "no backend"
	{
		printf 'rest = true\norigins = { %s }\n' "$origins"
		printf 'max-sessions = 3000\nmax-sessions-per-identity = 3000\n'
		for path in $BACKEND_PATHS; do
			printf 'service %s { target = "ws://%s/%s" }\n' "$path" "$BACKEND" "$path"
		done
	} >"$W/culvertd.conf"
	server_start culvertd -c "$W/culvertd.conf" "$@"
	BASE=https://localhost:$SERVER_PORT/culvert
	BEARER=$(head -n 1 "$W/token" | tr -d '\n' | base64 -w 0 | tr '+/' '-_' | tr -d =)
}

# For pages.py: the same, with a web server behind the gateway's own origin. Sets WEBSITE.
setup_pages() { # SERVER-ARG...
	HTTP=$(chromium_port) HTTPS=$(chromium_port) OTHER=$(chromium_port) SERVER_PORT=$(chromium_port)
	launch website $PYTHON "$WEB/website.py" --root "pages=$WEB/pages" --root "dist=$LIBRARY"
	WEBSITE=$(ready website tcp website) || fail "no website"
	setup_web "\"http://localhost:$HTTP\", \"https://app.example:$HTTPS\", \"https://localhost:$SERVER_PORT\"" --fallback "http://$WEBSITE" "$@"
}

pages_try() { # NAME...
	$PYTHON "$WEB/pages.py" --dir "$W" --base "$BASE" --token "$BEARER" --cert "$W/server.crt" --key "$W/server.key" --ports "$HTTP,$HTTPS,$OTHER" \
		--culvertd "$CULVERTD" --admin "$W/culvertd.sock" "$@" || fail "$*"
}
