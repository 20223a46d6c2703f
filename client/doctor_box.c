/*
 * Boxes: a table of what they say of themselves. Called by the checks of
 * culvert doctor. The field that only a box writes comes first; a page may quote
 * anything and comes last.
 */
#include "client/doctor_box.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum field { VIA, SERVER, AGENT, STATUS, CACHE, ERROR_HEADER, ISSUER, PAGE, FIELDS };

static const struct pattern {
	enum field field;
	const char *text;	/* in any case; "": whatever it is */
	const char *product;
} patterns[] = {
	{ ERROR_HEADER, "", "Squid" },
	{ VIA, "squid", "Squid" },
	{ VIA, "tinyproxy", "tinyproxy" },
	{ VIA, "zscaler", "Zscaler" },
	{ VIA, "McAfee Web Gateway", "McAfee/Skyhigh Web Gateway" },
	{ VIA, "Skyhigh", "McAfee/Skyhigh Web Gateway" },
	{ VIA, "MWG", "McAfee/Skyhigh Web Gateway" },
	{ VIA, "ProxySG", "Symantec/Broadcom ProxySG" },
	{ VIA, "Blue Coat", "Symantec/Broadcom ProxySG" },
	{ VIA, "bluecoat", "Symantec/Broadcom ProxySG" },
	{ VIA, "fortigate", "Fortinet FortiGate" },
	{ VIA, "fortiproxy", "Fortinet FortiProxy" },
	{ VIA, "websense", "Forcepoint (Websense)" },
	{ VIA, "ironport", "Cisco Web Security Appliance" },
	{ VIA, "Cisco-WSA", "Cisco Web Security Appliance" },
	{ VIA, "sophos", "Sophos" },
	{ VIA, "kerio", "Kerio Control" },
	{ VIA, "traffic server", "Apache Traffic Server" },
	{ VIA, "trafficserver", "Apache Traffic Server" },
	{ VIA, "cloudfront", "Amazon CloudFront" },
	{ VIA, "varnish", "Varnish" },
	{ VIA, "haproxy", "HAProxy" },
	{ VIA, "nginx", "nginx" },
	{ VIA, "apache", "Apache httpd" },
	{ VIA, "privoxy", "Privoxy" },
	{ VIA, "google", "Google Cloud load balancer" },
	{ AGENT, "tinyproxy", "tinyproxy" },
	{ AGENT, "squid", "Squid" },
	{ AGENT, "privoxy", "Privoxy" },
	{ AGENT, "apache", "Apache httpd" },
	{ AGENT, "fortinet", "Fortinet FortiGate" },
	{ AGENT, "bluecoat", "Symantec/Broadcom ProxySG" },
	{ AGENT, "zscaler", "Zscaler" },
	{ AGENT, "netcache", "NetCache" },
	{ SERVER, "squid", "Squid" },
	{ SERVER, "tinyproxy", "tinyproxy" },
	{ SERVER, "mitmproxy", "mitmproxy" },
	{ SERVER, "zscaler", "Zscaler" },
	{ SERVER, "openresty", "nginx" },
	{ SERVER, "nginx", "nginx" },
	{ SERVER, "cloudflare", "Cloudflare" },
	{ SERVER, "AkamaiGHost", "Akamai" },
	{ SERVER, "awselb", "Amazon load balancer" },
	{ SERVER, "BigIP", "F5 BIG-IP" },
	{ SERVER, "BIG-IP", "F5 BIG-IP" },
	{ SERVER, "Application-Gateway", "Azure Application Gateway" },
	{ SERVER, "Microsoft-IIS", "Microsoft IIS" },
	{ SERVER, "ATS/", "Apache Traffic Server" },
	{ SERVER, "apache", "Apache httpd" },
	{ SERVER, "envoy", "Envoy" },
	{ SERVER, "varnish", "Varnish" },
	{ SERVER, "caddy", "Caddy" },
	{ SERVER, "privoxy", "Privoxy" },
	{ STATUS, "squid", "Squid" },
	{ STATUS, "cloudflare", "Cloudflare" },
	{ STATUS, "envoy", "Envoy" },
	{ ISSUER, "mitmproxy", "mitmproxy" },
	{ ISSUER, "zscaler", "Zscaler" },
	{ ISSUER, "fortigate", "Fortinet FortiGate" },
	{ ISSUER, "fortinet", "Fortinet FortiGate" },
	{ ISSUER, "blue coat", "Symantec/Broadcom ProxySG" },
	{ ISSUER, "bluecoat", "Symantec/Broadcom ProxySG" },
	{ ISSUER, "proxysg", "Symantec/Broadcom ProxySG" },
	{ ISSUER, "symantec web", "Symantec/Broadcom Cloud SWG" },
	{ ISSUER, "cloud services ca", "Symantec/Broadcom Cloud SWG" },
	{ ISSUER, "mcafee", "McAfee/Skyhigh Web Gateway" },
	{ ISSUER, "skyhigh", "McAfee/Skyhigh Web Gateway" },
	{ ISSUER, "sophos", "Sophos" },
	{ ISSUER, "palo alto", "Palo Alto Networks" },
	{ ISSUER, "check point", "Check Point" },
	{ ISSUER, "cisco umbrella", "Cisco Umbrella" },
	{ ISSUER, "ironport", "Cisco Web Security Appliance" },
	{ ISSUER, "cisco", "Cisco" },
	{ ISSUER, "netskope", "Netskope" },
	{ ISSUER, "forcepoint", "Forcepoint (Websense)" },
	{ ISSUER, "websense", "Forcepoint (Websense)" },
	{ ISSUER, "kaspersky", "Kaspersky" },
	{ ISSUER, "ESET", "ESET" },
	{ ISSUER, "avast", "Avast" },
	{ ISSUER, "AVG", "AVG" },
	{ ISSUER, "bitdefender", "Bitdefender" },
	{ ISSUER, "barracuda", "Barracuda" },
	{ ISSUER, "watchguard", "WatchGuard" },
	{ ISSUER, "fireware", "WatchGuard" },
	{ ISSUER, "sonicwall", "SonicWall" },
	{ ISSUER, "iboss", "iboss" },
	{ ISSUER, "squid", "Squid" },
	{ PAGE, "(squid/", "Squid" },
	{ PAGE, "The requested URL could not be retrieved", "Squid" },
	{ PAGE, "fortiguard", "Fortinet FortiGate" },
	{ PAGE, "fortigate", "Fortinet FortiGate" },
	{ PAGE, "zscaler", "Zscaler" },
	{ PAGE, "blue coat", "Symantec/Broadcom ProxySG" },
	{ PAGE, "mcafee", "McAfee/Skyhigh Web Gateway" },
	{ PAGE, "forefront", "Microsoft TMG/ISA" },
	{ PAGE, "ISA Server", "Microsoft TMG/ISA" },
	{ PAGE, "tinyproxy", "tinyproxy" },
	{ PAGE, "privoxy", "Privoxy" },
	{ PAGE, "mitmproxy", "mitmproxy" },
	{ PAGE, "websense", "Forcepoint (Websense)" },
	{ PAGE, "palo alto networks", "Palo Alto Networks" },
	{ PAGE, "check point", "Check Point" },
	{ PAGE, "watchguard", "WatchGuard" },
	{ PAGE, "sonicwall", "SonicWall" },
	{ PAGE, "sophos", "Sophos" },
	{ PAGE, "cloudflare", "Cloudflare" },
	{ PAGE, "<center>nginx", "nginx" },
	{ PAGE, "cisco", "Cisco Web Security Appliance" },
};

/* ---- evidence ---- */

void box_note(char *field, size_t size, const void *text, size_t n)
{
	const unsigned char *p = text;
	size_t at = 0;

	if (*field)
		return;
	for (size_t i = 0; i < n && at + 1 < size; i++) {
		bool blank = p[i] <= ' ' || p[i] >= 0x7f;

		if (!blank)
			field[at++] = (char)p[i];
		else if (at && field[at - 1] != ' ')
			field[at++] = ' ';
	}
	while (at && field[at - 1] == ' ')
		at--;
	field[at] = 0;
}

static void note_header(char field[BOX_TEXT], const struct http1_head *head, const char *name)
{
	struct span value = http1_find(head, name);

	box_note(field, BOX_TEXT, value.p, value.n);
}

void box_note_head(struct box_evidence *e, const struct http1_head *head)
{
	struct span server = http1_find(head, "Server");

	note_header(e->via, head, "Via");
	note_header(e->agent, head, "Proxy-Agent");
	note_header(e->status, head, "Proxy-Status");
	note_header(e->cache, head, "X-Cache");
	note_header(e->error, head, "X-Squid-Error");
	if (!(server.n >= 8 && strncasecmp((const char *)server.p, "culvertd", 8) == 0))
		box_note(e->server, sizeof e->server, server.p, server.n);
	for (size_t i = 0; i < head->count; i++)
		e->lower |= head->header[i].name.n == 4 && memcmp(head->header[i].name.p, "date", 4) == 0;
}

/* ---- names ---- */

static const char *field_of(const struct box_evidence *e, enum field f)
{
	const char *const fields[FIELDS] = { [VIA] = e->via, [SERVER] = e->server, [AGENT] = e->agent, [STATUS] = e->status,
					     [CACHE] = e->cache, [ERROR_HEADER] = e->error, [ISSUER] = e->issuer,
					     [PAGE] = e->page };

	return fields[f];
}

const char *box_product(const struct box_evidence *e)
{
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		const char *text = field_of(e, patterns[i].field);

		if (*text && strcasestr(text, patterns[i].text))
			return patterns[i].product;
	}
	return NULL;
}

/* The pseudonym of the nearest hop: "1.0 fred, 1.1 p.example (x)" has "p.example". */
static void via_host(const char *via, char out[BOX_TEXT])
{
	const char *last = strrchr(via, ','), *p = last ? last + 1 : via;

	*out = 0;
	p += strspn(p, " ");
	p += strcspn(p, " ");	/* the version */
	p += strspn(p, " ");
	snprintf(out, BOX_TEXT, "%.*s", (int)strcspn(p, " ("), p);
}

bool box_name(const struct box_evidence *e, char out[BOX_TEXT])
{
	const char *product = box_product(e), *by = NULL;
	char host[BOX_TEXT];
	size_t n;

	via_host(e->via, host);
	if (product && *host && strcasecmp(host, product) != 0)
		snprintf(out, BOX_TEXT, "%.60s (%.80s)", product, host);
	else if (product)
		snprintf(out, BOX_TEXT, "%s", product);
	if (product)
		return true;
	for (enum field f = VIA; f < PAGE && !by; f++)
		if (*field_of(e, f) && f != CACHE)
			by = field_of(e, f);
	if (by == e->via && *host)
		by = host;
	n = by ? strcspn(by, ";") : 0;
	if (by)
		snprintf(out, BOX_TEXT, "'%.*s'", (int)(n > BOX_TEXT - 3 ? BOX_TEXT - 3 : n), by);
	else
		snprintf(out, BOX_TEXT, "%s", e->lower ? "HAProxy or Envoy, by its lower-case header names" : "");
	return *out != 0;
}

/* ---- advice ---- */

/* %s: the host of the server. The row without a product stands for all others. */
static const struct advice {
	enum obstacle obstacle;
	const char *product, *text;
} advices[] = {
	{ OBSTACLE_DNS, NULL, "let the name resolve (%s), or correct it" },
	{ OBSTACLE_REACH, NULL, "let this machine reach it, or name the network's proxy with --proxy" },
	{ OBSTACLE_CONNECT, "Squid", "http_access allow CONNECT for a dstdomain acl with %s" },
	{ OBSTACLE_CONNECT, NULL, "allow CONNECT to %s" },
	{ OBSTACLE_PORT, "Squid", "add the port to acl SSL_ports; or let culvertd on %s listen on port 443" },
	{ OBSTACLE_PORT, "tinyproxy", "add a ConnectPort line; or let culvertd on %s listen on port 443" },
	{ OBSTACLE_PORT, "Apache httpd", "add the port to AllowCONNECT; or let culvertd on %s listen on port 443" },
	{ OBSTACLE_PORT, NULL, "allow CONNECT to this port; or let culvertd on %s listen on port 443" },
	{ OBSTACLE_AUTH, NULL, "exempt %s from authentication, or offer a scheme that the user has credentials for (Negotiate, NTLM, Digest, "
			       "Basic)" },
	{ OBSTACLE_TRUST, NULL, "give users the CA's certificate for --cafile, or do not intercept %s" },
	{ OBSTACLE_INTERCEPTED, "Squid", "ssl_bump splice for an ssl::server_name acl with %s" },
	{ OBSTACLE_INTERCEPTED, "mitmproxy", "--ignore-hosts %s" },
	{ OBSTACLE_INTERCEPTED, NULL, "exempt %s from TLS inspection" },
	{ OBSTACLE_ANSWER, NULL, "let POST requests below the base path of %s pass, with their Authorization header" },
	{ OBSTACLE_UPGRADE, "Squid", "http_upgrade_request_protocols websocket allow all; or splice %s" },
	{ OBSTACLE_UPGRADE, "nginx", "proxy_http_version 1.1 and pass Upgrade and Connection to %s" },
	{ OBSTACLE_UPGRADE, "Apache httpd", "upgrade=websocket in the ProxyPass line for %s, and H2WebSockets on" },
	{ OBSTACLE_UPGRADE, NULL, "let the Upgrade header pass to %s (Culvert does not need it)" },
	{ OBSTACLE_UP_HELD, "nginx", "proxy_request_buffering off and proxy_http_version 1.1 in the location for %s" },
	{ OBSTACLE_UP_HELD, "HAProxy", "no option http-buffer-request, option http-no-delay, for %s" },
	{ OBSTACLE_UP_HELD, "Squid", "exempt %s from ICAP/eCAP request scanning (adaptation_access deny)" },
	{ OBSTACLE_UP_HELD, "mitmproxy", "--set stream_large_bodies=1, or --ignore-hosts %s" },
	{ OBSTACLE_UP_HELD, "Apache httpd", "SetEnv proxy-sendchunked 1 for %s, and no RequestReadTimeout for bodies" },
	{ OBSTACLE_UP_HELD, NULL, "exempt %s from scanning and buffering of uploads (HAProxy: option http-no-delay)" },
	{ OBSTACLE_UP_CHUNKED, NULL, "accept Transfer-Encoding: chunked in requests to %s" },
	{ OBSTACLE_DOWN_HELD, "nginx", "proxy_buffering off in the location for %s (X-Accel-Buffering must not be ignored)" },
	{ OBSTACLE_DOWN_HELD, "HAProxy", "option http-no-delay for %s" },
	{ OBSTACLE_DOWN_HELD, "Squid", "exempt %s from ICAP/eCAP response scanning (adaptation_access deny)" },
	{ OBSTACLE_DOWN_HELD, "mitmproxy", "--set stream_large_bodies=1, or --ignore-hosts %s" },
	{ OBSTACLE_DOWN_HELD, NULL, "exempt %s from scanning and buffering of downloads" },
	{ OBSTACLE_DUPLEX, NULL, "pass answers from %s on while the request is still being sent" },
	{ OBSTACLE_HOLD, "nginx", "proxy_read_timeout 120s in the location for %s" },
	{ OBSTACLE_HOLD, "HAProxy", "timeout server 120s and timeout client 120s for %s" },
	{ OBSTACLE_HOLD, NULL, "wait at least 60 s for an answer from %s" },
	{ OBSTACLE_IDLE, "Squid", "read_timeout of 15 minutes (the default) for %s" },
	{ OBSTACLE_IDLE, NULL, "let connections to %s be silent for 60 s or more" },
	{ OBSTACLE_AGE, "nginx", "keepalive_time and send_timeout of an hour for %s" },
	{ OBSTACLE_AGE, NULL, "let connections to %s live for an hour" },
	{ OBSTACLE_BODY, "nginx", "client_max_body_size 0 in the location for %s" },
	{ OBSTACLE_BODY, NULL, "allow request bodies of some megabytes to %s" },
	{ OBSTACLE_CLOSE, NULL, "keep connections to %s open between requests (keep-alive)" },
	{ OBSTACLE_VERSION, "nginx", "proxy_http_version 1.1 in the location for %s" },
	{ OBSTACLE_VERSION, NULL, "speak HTTP/1.1 to %s" },
	{ OBSTACLE_DAMAGED, NULL, "leave answers of %s as they are (they say no-transform)" },
	{ OBSTACLE_CACHE, NULL, "do not cache answers to POST from %s (they say no-store)" },
	{ OBSTACLE_REPEAT, NULL, "do not repeat requests to %s" },
	{ OBSTACLE_CONNECTIONS, "Squid", "raise the maxconn acl for %s" },
	{ OBSTACLE_CONNECTIONS, NULL, "allow each user at least 4 connections to %s at a time" },
};

void box_advice(enum obstacle o, const char *product, const char *host, char out[BOX_ADVICE])
{
	const char *text = NULL, *at;

	for (size_t i = 0; i < sizeof advices / sizeof *advices && !text; i++)
		if (advices[i].obstacle == o &&
		    (!advices[i].product || (product && strcmp(product, advices[i].product) == 0)))
			text = advices[i].text;
	if (!text) {
		*out = 0;
		return;
	}
	at = strstr(text, "%s");
	if (at)
		snprintf(out, BOX_ADVICE, "%.*s%s%s", (int)(at - text), text, host, at + 2);
	else
		snprintf(out, BOX_ADVICE, "%s", text);
}
