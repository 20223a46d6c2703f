/*
 * Counters: one table of everything that is counted, for a process. Names are
 * those of the status output. Plain increments; one thread.
 */
#ifndef TUNNEL_COUNTERS_H
#define TUNNEL_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#define COUNTERS(X) \
	X(connections_opened, "connections made or accepted") \
	X(connections_failed, "connections that could not be made") \
	X(tls_failed, "TLS handshakes that failed") \
	X(tls_resumed, "TLS handshakes that resumed a session") \
	X(exchanges, "HTTP exchanges begun") \
	X(exchanges_failed, "HTTP exchanges cut or refused") \
	X(cover_replies, "requests answered with the cover") \
	X(clients_refused, "requests answered 503: too many at a time of a client behind a proxy") \
	X(proxy_headers_failed, "connections closed for want of a PROXY protocol header") \
	X(fallback_requests, "requests passed on to the website behind us") \
	X(fallback_failed, "of these answered by us since the website did not, or cut") \
	X(auth_failed, "requests with missing or wrong credentials") \
	X(seals_made, "handshakes of sealed sessions done") \
	X(seals_failed, "handshakes of sealed sessions that failed") \
	X(seals_refused, "handshakes of sealed sessions refused at a cap") \
	X(seals_unknown, "sealed requests whose seal is not known (any more)") \
	X(unsealed_refused, "requests refused because they should have been sealed") \
	X(sessions_opened, "sessions created") \
	X(sessions_ended, "sessions ended") \
	X(sessions_refused, "sessions refused at a cap") \
	X(rest_held, "requests of REST clients that waited for a message") \
	X(rest_streams, "answers to them that went on, as events or records") \
	X(rest_resumed, "of these begun behind a message that the client had") \
	X(rest_superseded, "requests that waited, or answers that went on, in whose place a newer one came") \
	X(rest_conflicts, "requests of REST clients answered 409") \
	X(rest_expired, "sessions of REST clients that ended for want of requests") \
	X(rest_messages_out, "messages of targets for REST clients") \
	X(rest_messages_in, "messages of REST clients for their targets") \
	X(rest_bytes_out, "bytes of messages of targets for REST clients") \
	X(rest_bytes_in, "bytes of messages of REST clients for their targets") \
	X(channels_opened, "channels opened") \
	X(channels_refused, "channels refused") \
	X(records_out, "records sent") \
	X(records_in, "records received whole") \
	X(records_repeated, "records received again") \
	X(records_lost, "records found lost, whose reliable capsules were sent again") \
	X(probe_timeouts, "probe time-outs") \
	X(malformed, "malformed bodies") \
	X(sealed_out, "sealed capsules sent") \
	X(sealed_in, "sealed capsules opened") \
	X(sealed_refused, "sealed bodies dropped: altered or cut on the way, of another exchange, or not sealed") \
	X(seals_lost, "seals that the other end did not know any more, or that were used up") \
	X(datagrams_out, "datagrams sent into the tunnel") \
	X(datagrams_in, "datagrams delivered from the tunnel") \
	X(datagram_bytes_out, "bytes of datagrams sent into the tunnel") \
	X(datagram_bytes_in, "bytes of datagrams delivered from the tunnel") \
	X(dropped_queue_deadline, "datagrams dropped: waited here past their deadline") \
	X(dropped_frame, "datagrams dropped: a part of their video frame was dropped before") \
	X(dropped_late, "datagrams dropped: arrived past the path's floor + deadline") \
	X(dropped_repeat, "datagrams dropped: seen before") \
	X(dropped_full, "datagrams dropped: the send queue was full") \
	X(dropped_no_session, "datagrams dropped: no session to carry them") \
	X(dropped_no_channel, "datagrams dropped: their channel is not open") \
	X(dropped_local, "datagrams dropped: the local socket did not take them") \
	X(dropped_echo, "datagrams dropped: beyond what a session may have echoed") \
	X(icmp_refused, "port-unreachable answers of local targets") \
	X(copies_out, "second copies of datagrams sent in advance") \
	X(hedges_out, "datagrams of overdue records sent again") \
	X(hedges_held, "datagrams of overdue records not sent again: beyond the budget, or the path is full") \
	X(evidence, "losses and stalls seen, for which second copies are sent") \
	X(stream_bytes_out, "stream bytes sent into the tunnel, first transmissions") \
	X(stream_bytes_again, "stream bytes sent again") \
	X(stream_bytes_in, "stream bytes delivered from the tunnel")

enum counter {
#define X(name, text) COUNTER_##name,
	COUNTERS(X)
#undef X
	COUNTER_COUNT
};

extern uint64_t counters[COUNTER_COUNT];

#define count(name) ((void)counters[COUNTER_##name]++)
#define count_add(name, n) ((void)(counters[COUNTER_##name] += (n)))
#define counted(name) (counters[COUNTER_##name])

const char *counter_name(enum counter);
const char *counter_text(enum counter);

#endif
