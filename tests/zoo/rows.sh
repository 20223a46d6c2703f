# Sourced: the rows of the zoo's matrix. What is expected is what was found out about the proxy, see README.md.
#
# kind            rungs that are right        more: NAME=VALUE...
#   cuts=N        at least N connections are cut during the call (and it does not matter)
#   lost=N        that many datagrams may be lost each way, of those a cut had in flight; default 0
#   late=N        percent later than 150 ms, or lost (default 2)
#   eio=1         engine.io polling is measured beside it
#   seconds=N     of the call (default ZOO_SECONDS, 15)
ZOO_ROWS='
squid-plain       duplex
squid-strict      duplex
squid-bump        duplex                      eio=1
squid-hasty       duplex                      cuts=1 lost=10 seconds=30
tinyproxy         duplex
privoxy           duplex
apache            duplex
mitmproxy         poll                        eio=1
storefwd          poll
nginx-reverse     push                        eio=1
nginx-tuned       duplex
haproxy-reverse   duplex
haproxy-nodelay   duplex
nasty             duplex
nasty-tunnel      duplex
nasty-cut-age     duplex                      cuts=1 lost=10 seconds=25
nasty-cut-bytes   duplex                      cuts=1 lost=10 seconds=25
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
'

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
