#!/bin/sh
# The layers: framing <- tunnel <- { client, server }. Fails on an include against it,
# on a quoted include that is not from the root, and on a library outside its file.
cd "$(dirname "$0")/../.." || exit 1
bad=0
deny() { # pattern files...
	p=$1
	shift
	if grep -n -E "$p" "$@" /dev/null; then
		echo "against the layers: $p" >&2
		bad=1
	fi
}
deny '#include "(tunnel|client|server|tests)/' framing/*.[ch]
deny '#include "(client|server|tests)/' tunnel/*.[ch]
deny '#include "(server|tests)/' client/*.[ch]
deny '#include "(client|tests)/' server/*.[ch]
deny '#include "[^/"]*"' framing/*.[ch] tunnel/*.[ch] client/*.[ch] server/*.[ch]
only() { # header file...: nobody but these files includes it
	h=$1
	shift
	for f in $(grep -l "#include <$h>" framing/*.[ch] tunnel/*.[ch] client/*.[ch] server/*.[ch]); do
		case " $* " in *" $f "*) ;; *) echo "$f includes <$h>, which belongs to: $*" >&2; bad=1 ;; esac
	done
}
only http_parser.h framing/http1.c
only wslay/wslay.h framing/websocket.c
only nghttp2/nghttp2.h tunnel/h2_internal.h
only ev.h tunnel/loop.c tunnel/loop.h
only openssl/ssl.h tunnel/stream_tls.c tunnel/tls_context.c tunnel/seal_handshake.c
only ares.h client/resolve.c tunnel/resolve.c
only confuse.h tunnel/config.c
only gssapi/gssapi.h client/auth_gss.c
only gssapi/gssapi_ext.h client/auth_gss.c
only pacparser.h client/pac.c
only proxy.h client/system_proxy.c
only seccomp.h client/sandbox_linux.c
only curl/curl.h client/fetch.c
only jansson.h client/memory_file.c client/status_json.c server/rest_json.c server/rest_jwt.c
exit $bad
