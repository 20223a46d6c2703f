# Sourced: what is right for a page's signalling through each proxy; its kinds are the zoo's (tests/zoo/README.md).
#
#   native: what becomes of a native WebSocket
#     works          it passes, all three clients live with it
#     refused:TEXT   it does not open; Chromium says so on its console in these words
#     silent         it opens (101), and then nothing passes
#   culvert: what a CulvertSocket uses that tries a native WebSocket first; fallback: one that does not
# kind               native           culvert   fallback
REAL_ROWS='
squid-plain          works            native    stream
squid-abs            refused:tunnel   stream    stream
squid-bump           refused:code     stream    stream
storefwd             refused:426      poll      poll
privoxy              works            native    stream
privoxy-inspect      works            native    stream
privoxy-transparent  silent           stream    stream
mitmproxy            works            native    poll
nginx-reverse        refused:code     stream    stream
haproxy-reverse      works            native    stream
'

real_names() {
	awk 'NF { print $1 }' <<<"$REAL_ROWS"
}

real_column() { # KIND N
	awk -v k="$1" -v n="$2" '$1 == k { print $n }' <<<"$REAL_ROWS"
}
