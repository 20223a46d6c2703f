/* One TLS connection with batching. Called by turnclient and tlspipe; calls OpenSSL. */
#include "tests/tools/tlslink.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tools/tool.h"

struct tlslink {
	int fd;
	SSL *ssl;
	size_t out, in;
	uint8_t outgoing[TLSLINK_OUT], incoming[TLSLINK_IN];
};

static SSL_CTX *context(const SSL_METHOD *method, const char *cert, const char *key)
{
	SSL_CTX *c = SSL_CTX_new(method);
	if (!c || (cert && (SSL_CTX_use_certificate_file(c, cert, SSL_FILETYPE_PEM) != 1 ||
			    SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1)))
		tool_die("TLS cannot be set up with %s", cert ? cert : "no certificate");
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return c;
}

/* The handshake waits; afterwards nothing does. */
static struct tlslink *begin(int fd, SSL_CTX *c, int (*handshake)(SSL *))
{
	struct tlslink *l = tool_calloc(1, sizeof *l);
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	l->fd = fd;
	l->ssl = SSL_new(c);
	if (!l->ssl || !SSL_set_fd(l->ssl, fd) || handshake(l->ssl) != 1 ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)) {
		tlslink_free(l);
		return NULL;
	}
	return l;
}

struct tlslink *tlslink_connect(const struct sockaddr_in *to)
{
	static SSL_CTX *c;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!c)
		c = context(TLS_client_method(), NULL, NULL);
	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof *to))
		tool_die("connecting to the server: %s", strerror(errno));
	struct tlslink *l = begin(fd, c, SSL_connect);
	if (!l)
		tool_die("the TLS handshake failed");
	return l;
}

struct tlslink *tlslink_accept(int fd, const char *cert, const char *key)
{
	static SSL_CTX *c;
	if (!c)
		c = context(TLS_server_method(), cert, key);
	return begin(fd, c, SSL_accept);
}

void tlslink_free(struct tlslink *l)
{
	if (!l)
		return;
	SSL_free(l->ssl);
	close(l->fd);
	free(l);
}

int tlslink_fd(const struct tlslink *l)
{
	return l->fd;
}

uint8_t *tlslink_room(struct tlslink *l, size_t n)
{
	if (n > TLSLINK_OUT - l->out)
		return NULL;
	l->out += n;
	return l->outgoing + l->out - n;
}

/* The socket is full or empty; anything else is an end. */
static bool is_patient(struct tlslink *l)
{
	int e = SSL_get_error(l->ssl, 0);
	return e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ;
}

bool tlslink_flush(struct tlslink *l)
{
	size_t at = 0, n;
	bool well = true;
	while (at < l->out) {
		if (SSL_write_ex(l->ssl, l->outgoing + at, l->out - at, &n) != 1) {
			well = is_patient(l);
			break;
		}
		at += n;
	}
	memmove(l->outgoing, l->outgoing + at, l->out - at);
	l->out -= at;
	return well;
}

bool tlslink_waits(const struct tlslink *l)
{
	return l->out > 0;
}

bool tlslink_read(struct tlslink *l, bool *lost)
{
	size_t n = 0;
	*lost = false;
	if (SSL_read_ex(l->ssl, l->incoming + l->in, TLSLINK_IN - l->in, &n) == 1) {
		l->in += n;
		return true;
	}
	*lost = !is_patient(l);
	return false;
}

const uint8_t *tlslink_in(const struct tlslink *l, size_t *n)
{
	*n = l->in;
	return l->incoming;
}

void tlslink_consume(struct tlslink *l, size_t n)
{
	memmove(l->incoming, l->incoming + n, l->in - n);
	l->in -= n;
}
