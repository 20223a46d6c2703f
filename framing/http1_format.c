/*
 * HTTP/1.x heads and chunk headers, written. Called by the connections of both
 * sides; calls the writer.
 */
#include "framing/http1.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "framing/error.h"

void http1_chunk_head(uint8_t *p, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 4; i-- > 0; n >>= 4)
		p[i] = (uint8_t)hex[n & 15];
	p[4] = '\r';
	p[5] = '\n';
}

static void put(struct writer *w, const char *text)
{
	writer_bytes(w, text, strlen(text));
}

static void put_framing(struct writer *w, enum http1_framing framing, uint64_t length)
{
	char line[48];

	if (framing == HTTP1_LENGTH) {
		snprintf(line, sizeof line, "Content-Length: %" PRIu64 "\r\n", length);
		put(w, line);
	} else if (framing == HTTP1_CHUNKED) {
		put(w, "Transfer-Encoding: chunked\r\n");
	}
}

ssize_t http1_request_put(uint8_t *p, size_t cap, const char *method, const char *target, const char *host,
			  const char *lines, enum http1_framing framing, uint64_t length)
{
	struct writer w;

	writer_init(&w, p, cap);
	put(&w, method);
	put(&w, " ");
	put(&w, target);
	put(&w, " HTTP/1.1\r\nHost: ");
	put(&w, host);
	put(&w, "\r\n");
	put(&w, lines);
	put_framing(&w, framing, length);
	put(&w, "\r\n");
	return w.full ? ERROR_LIMIT : (ssize_t)writer_len(&w);
}

ssize_t http1_response_put(uint8_t *p, size_t cap, int status, const char *lines, enum http1_framing framing,
			   uint64_t length, bool keep_alive)
{
	struct writer w;
	char line[32];

	writer_init(&w, p, cap);
	snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
	put(&w, line);
	put(&w, http1_reason(status));
	put(&w, "\r\n");
	put(&w, lines);
	put_framing(&w, framing, length);
	if (!keep_alive || framing == HTTP1_UNTIL_CLOSE)
		put(&w, "Connection: close\r\n");
	put(&w, "\r\n");
	return w.full ? ERROR_LIMIT : (ssize_t)writer_len(&w);
}

const char *http1_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 100, "Continue" },
		{ 101, "Switching Protocols" },
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 203, "Non-Authoritative Information" },
		{ 204, "No Content" },
		{ 205, "Reset Content" },
		{ 206, "Partial Content" },
		{ 207, "Multi-Status" },
		{ 300, "Multiple Choices" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 402, "Payment Required" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 407, "Proxy Authentication Required" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 416, "Range Not Satisfiable" },
		{ 417, "Expectation Failed" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 423, "Locked" },
		{ 424, "Failed Dependency" },
		{ 425, "Too Early" },
		{ 426, "Upgrade Required" },
		{ 428, "Precondition Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 451, "Unavailable For Legal Reasons" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
		{ 507, "Insufficient Storage" },
		{ 511, "Network Authentication Required" },
	};

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}
