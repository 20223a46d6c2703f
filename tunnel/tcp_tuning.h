/*
 * TCP tuning: what the kernel is asked for on our sockets. Nothing of it is needed
 * to work, so a refusal changes nothing, but for a congestion control that somebody
 * named. One setting for the process, made at its start.
 */
#ifndef TUNNEL_TCP_TUNING_H
#define TUNNEL_TCP_TUNING_H

#include <stdbool.h>
#include <stddef.h>

#define TCP_TUNING_AUTO "auto"	/* bbr, where the kernel has it and lets us */

/* Whether the kernel would take this congestion control ("auto": always); else false and why it does not. */
bool tcp_tuning_complaint(const char *congestion, char *why, size_t size);
/* congestion: "auto" or a name. sparse: whether tcp_tuning_sparse does anything. */
void tcp_tuning_setup(const char *congestion, bool sparse);
/* What connections over the path get; "": the kernel's default. */
const char *tcp_tuning_congestion(void);
bool tcp_tuning_is_sparse(void);
/* The kernel knows TCP_RTO_MIN_US (Linux 6.15 and later). */
bool tcp_tuning_can_rto_min(void);

/* Each socket of a stream: no Nagle, little unsent, a limit of time; family: of its address. */
void tcp_tuning_begin(int fd, int family);
/* A connection over the path, not a local one: congestion control. */
void tcp_tuning_far(int fd);
/* Little is sent and all of it is urgent: what is lost is sent again after 20 ms instead of 200, always, and what comes is
 * acknowledged at once. Both ends have to. */
void tcp_tuning_sparse(int fd, bool on);
/* Urgent packets share it with much else: no congestion control that now and then sends next to nothing, as BBR does to measure
 * (its PROBE_RTT: 200 ms each 10 s). Does nothing where the congestion control has a name. */
void tcp_tuning_mixed(int fd, bool on);
/* After each read while that is on: the kernel forgets it. */
void tcp_tuning_quick_ack(int fd);

#endif
