/* From a chain of proxies to hops in order. Called by the dialler. */
#include "client/dial_steps.h"

#include <stdio.h>
#include <string.h>

#include "client/authority.h"

static void put_through(struct dial_steps *s, const struct proxy_chain *chain)
{
	size_t at = 0;

	s->through[0] = 0;
	for (unsigned i = 0; i < chain->n; i++)
		at += (size_t)snprintf(s->through + at, sizeof s->through - at, "%s%s",
				       i ? " > " : chain->n > 1 ? " through the proxies " : " through the proxy ", chain->hop[i].shown);
}

static struct hop_config *add(struct dial_steps *s, const struct dial_config *c, const struct hop_kind *kind, int64_t timeout_us)
{
	struct dial_step *step = &s->step[s->n++];

	step->kind = kind;
	step->timeout_us = timeout_us;
	step->hop = (struct hop_config){ .loop = c->loop, .through = "", .asked = &s->asked };
	return &step->hop;
}

static void lead_to_server(struct hop_config *h, const struct dial_config *c, uint16_t usual)
{
	h->host = c->plain ? c->plain_host : c->server_host;
	h->port = c->plain ? c->plain_port : c->server_port;
	h->last = true;
	authority_text(h->host, h->port, usual, h->to, sizeof h->to);
	authority_text(h->host, h->port, 0, h->whom, sizeof h->whom);
}

static void lead_to_proxy(struct hop_config *h, const struct proxy *next)
{
	h->host = next->host;
	h->port = next->port;
	authority_text(next->host, next->port, 0, h->to, sizeof h->to);
	snprintf(h->whom, sizeof h->whom, "the proxy %s", next->shown);
}

static void add_proxy_tls(struct dial_steps *s, const struct dial_config *c, const struct proxy *p)
{
	struct hop_config *h = add(s, c, &hop_tls, c->tls_timeout_us);

	h->proxy = p;
	h->tls = c->proxy_tls;
	lead_to_proxy(h, p);
}

static bool speaks_http(const struct proxy *p)
{
	return p->kind != PROXY_SOCKS5;
}

/* A proxy that speaks HTTP and comes last lets us speak to a server without TLS in its own way. */
static bool is_absolute(const struct dial_config *c)
{
	return c->plain && c->chain->n && speaks_http(&c->chain->hop[c->chain->n - 1]);
}

static void add_proxy(struct dial_steps *s, const struct dial_config *c, unsigned i)
{
	const struct proxy *p = &c->chain->hop[i];
	bool last = i + 1 == c->chain->n;
	struct hop_config *h;

	if (p->kind == PROXY_HTTPS)
		add_proxy_tls(s, c, p);
	if (last && is_absolute(c))
		return;
	h = add(s, c, speaks_http(p) ? &hop_connect : &hop_socks5, c->proxy_timeout_us);
	h->proxy = p;
	h->auth = c->auth[i];
	if (last)
		lead_to_server(h, c, 0);
	else
		lead_to_proxy(h, p + 1);
}

static void add_server_tls(struct dial_steps *s, const struct dial_config *c)
{
	struct hop_config *h = add(s, c, &hop_tls, c->tls_timeout_us);

	h->tls = c->tls;
	h->through = s->through;
	lead_to_server(h, c, 0);
	s->server_11 = *h;
	h->alpn = c->alpn;
}

static void add_dress(struct dial_steps *s, const struct dial_config *c)
{
	struct hop_config *h = add(s, c, &hop_absolute, c->proxy_timeout_us);

	if (is_absolute(c)) {
		h->proxy = &c->chain->hop[c->chain->n - 1];
		h->auth = c->auth[c->chain->n - 1];
	}
	lead_to_server(h, c, 80);
}

void dial_steps_init(struct dial_steps *s, const struct dial_config *c)
{
	memset(s, 0, sizeof *s);
	put_through(s, c->chain);
	for (unsigned i = 0; i < c->chain->n; i++)
		add_proxy(s, c, i);
	if (c->plain)
		add_dress(s, c);
	else if (c->tls)
		add_server_tls(s, c);
}
