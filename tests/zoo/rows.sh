# Sourced: the rows of the zoo's matrix. What is expected is what was found out about the proxy, see README.md.
#
# kind            rungs that are right        more: NAME=VALUE...
#   cuts=N        at least N connections are cut during the call (and it does not matter)
#   lost=N        that many datagrams may be lost each way, of those a cut had in flight; default 0
#   late=N        percent later than 150 ms, or lost (default 2)
#   eio=1         engine.io polling is measured beside it
#   seconds=N     of the call (default ZOO_SECONDS, 15)
#   best=S        the best rung is found within (default 5); a WebSocket is trusted after a silence only
#   http=N        the version of HTTP in the proxy's log; 1.1+2.0: a WebSocket is asked for by HTTP/1.1 where HTTP/2 has none
ZOO_ROWS='
squid-plain       duplex
squid-strict      duplex
squid-bump        duplex                      eio=1
squid-hasty       duplex                      cuts=1 lost=10 seconds=30
tinyproxy         duplex
privoxy           duplex
apache            duplex
mitmproxy         websocket                   eio=1
storefwd          poll
nginx-reverse     push                        eio=1
nginx-tuned       duplex
haproxy-reverse   duplex
haproxy-nodelay   duplex
nginx-front             duplex                http=2.0
nginx-front-h1          duplex                http=1.1
nginx-front-stock       push                  http=1.1+2.0
nginx-front-stock-h1    push                  http=1.1
haproxy-front           duplex                http=2.0
haproxy-front-h1        duplex                http=1.1
haproxy-front-h2c       duplex                http=2.0
haproxy-front-stock     websocket             http=2.0 best=10
haproxy-front-stock-h1  websocket             http=1.1 best=10
apache-front            websocket             http=2.0 best=10
apache-front-h1         websocket             http=1.1 best=10
apache-front-stock      split+fill            http=1.1+2.0
apache-front-stock-h1   split+fill            http=1.1
nghttpx-front           duplex                http=2.0
nghttpx-front-h1        duplex                http=1.1
nghttpx-front-h2c       duplex                http=2.0
nghttpx-front-stock     duplex                http=2.0
nghttpx-front-stock-h1  duplex                http=1.1
nasty             duplex
nasty-tunnel      duplex
nasty-cut-age     duplex                      cuts=1 lost=10 seconds=25
nasty-cut-bytes   duplex                      cuts=1 lost=10 seconds=40
nasty-cut-idle    duplex                      lost=10
nasty-cut-rst     duplex                      cuts=1 lost=10 seconds=25
nasty-limit2      duplex
nasty-queue2      duplex
nasty-half        split
nasty-holdup      split+fill
nasty-411         push
nasty-store       poll
nasty-trickle     poll
nasty-html200     duplex                      lost=10
nasty-dup         poll                        lost=60 late=10
nasty-close       duplex
nasty-http10      push
nasty-1xx         duplex
nasty-small       push
squid-basic       duplex
squid-digest      duplex
squid-ntlm        duplex
squid-negotiate   duplex
squid-abs         duplex
squid-digest-abs  duplex
squid-ntlm-abs    duplex
squid-negotiate-abs duplex
apache-digest     duplex
apache-digest-abs split+fill
tinyproxy-abs     split
privoxy-abs       push
apache-abs        split+fill
mitmproxy-abs     poll
storefwd-abs      poll
'

# kind            what the doctor must find there, beyond or instead of the usual; the words are explained in verdict.py
ZOO_DOCTOR='
squid-bump        certificate@Squid websocket@Squid
squid-hasty       certificate@Squid hold=limited hold@Squid hold.best_s:1|5 hold.failed_s:5|20
tinyproxy         proxy@tinyproxy
apache            proxy@Apache
mitmproxy         certificate@mitmproxy up@mitmproxy down@mitmproxy duplex:held up:held up_fill:held down:held down_sse:held down_pad:held
storefwd          certificate@store up@storefwd up.status:411 duplex:refused up:refused up_fill:refused down:held down_sse:held down_pad:held
                  limit:2 parallel@storefwd parallel.refused:6 http=limited http.close:1 bodies=limited bodies.version_at_server:1
nginx-reverse     up@nginx duplex:held up:held up_fill:held bodies=limited bodies.version_at_server:1 size=limited size.up_60k:1 size.up_1m:0
nginx-tuned       websocket@nginx
nginx-front-stock up@nginx duplex:held up:held up_fill:held bodies=limited bodies.version_at_server:1 size=limited size.up_60k:1 size.up_1m:0
nginx-front-stock-h1 up@nginx duplex:held up:held up_fill:held bodies=limited bodies.version_at_server:1 size=limited size.up_60k:1 size.up_1m:0
haproxy-front-stock duplex:held up:held
haproxy-front-stock-h1 duplex:held up:held
apache-front      up@Apache duplex:held up:held up_fill:passes up.behind_16k:1
apache-front-h1   up@Apache duplex:held up:held up_fill:passes up.behind_16k:1
apache-front-stock up@Apache duplex:held up:held up_fill:passes up.behind_16k:1
apache-front-stock-h1 up@Apache duplex:held up:held up_fill:passes up.behind_16k:1
nasty             certificate@nasty
nasty-cut-age     cut:age hold=limited hold.cut_age_s:10|11
nasty-cut-idle    cut:idle hold=limited hold.best_s:5 hold.failed_s:20
nasty-cut-rst     certificate@nasty cut:age hold=limited hold.cut_age_s:10|11
nasty-limit2      certificate@nasty limit:2 parallel@nasty parallel.refused:6
nasty-queue2      certificate@nasty limit:2 parallel@nasty parallel.refused:0
nasty-half        certificate@nasty duplex:held
nasty-holdup      certificate@nasty up@nasty duplex:held up:held up_fill:passes up.behind_16k:1
nasty-411         certificate@nasty up@nasty up.status:411 duplex:refused up:refused up_fill:refused
nasty-store       certificate@nasty up@nasty up.status:411 duplex:refused up:refused up_fill:refused down:held down_sse:held down_pad:held
                  limit:2 parallel@nasty parallel.refused:6 http=limited http.close:1 bodies=limited bodies.version_at_server:1
nasty-trickle     certificate@nasty duplex:held down:held down_sse:held down_pad:held
nasty-html200     certificate@nasty *=ok|limited
nasty-dup         certificate@nasty up.status:411 duplex:refused up:refused up_fill:refused down:held down_sse:held down_pad:held
                  usable:yes|limits *=ok|limited
nasty-close       certificate@nasty http=limited http@nasty http.close:1
nasty-http10      certificate@nasty duplex:refused up:refused up_fill:refused http=limited http.version:1 http.close:1
                  bodies=limited bodies.version_at_server:1
nasty-1xx         certificate@nasty
squid-abs         connect@Squid connect.plain:1
squid-digest-abs  connect@Squid
tinyproxy-abs     proxy@tinyproxy connect@tinyproxy duplex:held
privoxy-abs       connect@Privoxy duplex:held up:held up_fill:held down_sse:held
apache-abs        connect@Apache up@Apache duplex:held up:held up_fill:passes up.behind_16k:1
apache-digest     proxy@Apache
apache-digest-abs connect@Apache up@Apache duplex:held up:held up_fill:passes up.behind_16k:1
mitmproxy-abs     duplex:held up:held up_fill:held down:held down_sse:held down_pad:held
storefwd-abs      up@storefwd up.status:411 duplex:refused up:refused up_fill:refused down:held down_sse:held down_pad:held
                  limit:2 parallel@storefwd parallel.refused:6 http=limited http.close:1 bodies=limited bodies.version_at_server:1
nasty-small       certificate@nasty duplex:refused up:refused up_fill:refused up.status:411 size=broken size.up_60k:0
'

zoo_doctor() { # KIND
	awk -v k="$1" '/^[^ ]/ { at = $1; $1 = "" } at == k' <<<"$ZOO_DOCTOR" | xargs
}

zoo_names() {
	awk 'NF { print $1 }' <<<"$ZOO_ROWS"
}

zoo_rungs() { # KIND
	awk -v k="$1" '$1 == k { print $2 }' <<<"$ZOO_ROWS"
}

zoo_more() { # KIND NAME DEFAULT
	awk -v k="$1" -v n="$2" -v d="$3" '
		$1 == k { for (i = 3; i <= NF; i++) if (index($i, n "=") == 1) d = substr($i, length(n) + 2) }
		END { print d }' <<<"$ZOO_ROWS"
}
