/* The checks of culvert doctor, one row each in doctor.c. */
#ifndef CLIENT_DOCTOR_CHECKS_H
#define CLIENT_DOCTOR_CHECKS_H

struct check;
struct doctor;

extern const struct check check_dns, check_tcp, check_proxy;		/* doctor_dial.c */
extern const struct check check_connect;					/* doctor_connect.c */
extern const struct check check_tls, check_certificate, check_alpn;		/* doctor_tls.c */
extern const struct check check_server, check_http;				/* doctor_server.c */
extern const struct check check_websocket;					/* doctor_websocket.c */
extern const struct check check_down, check_down_sse, check_up, check_up_fill, check_duplex, check_bodies; /* doctor_probe.c */
extern const struct check check_hold, check_idle, check_size, check_parallel;	/* doctor_limits.c */
extern const struct check check_calls;						/* doctor_calls.c */
/* What was found out later may show that the certificate was that of a box. */
void certificate_amend(struct doctor *);

#endif
