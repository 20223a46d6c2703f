/*
 * Fingerprints. The key is read when the first one is wanted. Called by memory.c
 * and network_linux.c.
 */
#include "client/fingerprint.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#define KEY_MAX 64
#define LABEL "culvert fingerprint 1 "	/* ids of machines are for nobody's eyes: no other program's hash is like ours */

static const char *const places[] = {
	"/etc/machine-id",
	"/var/lib/dbus/machine-id",
	"/proc/sys/kernel/random/boot_id",
};

static size_t key_read(char *key, size_t size)
{
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		int fd = open(places[i], O_RDONLY | O_CLOEXEC | O_NOCTTY);
		ssize_t n;

		if (fd < 0)
			continue;
		n = read(fd, key, size);
		close(fd);
		if (n >= 32)
			return (size_t)n;
	}
	return 0;
}

void fingerprint(char out[FINGERPRINT], const void *p, size_t n)
{
	static char key[sizeof LABEL + KEY_MAX] = LABEL;
	static size_t key_n;
	uint8_t mac[32];
	size_t got;

	if (!key_n)
		key_n = strlen(LABEL) + key_read(key + strlen(LABEL), KEY_MAX);
	if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, key_n, p, n, mac, sizeof mac, &got) || got != sizeof mac)
		abort();
	for (size_t i = 0; i < sizeof mac; i++)
		snprintf(out + 2 * i, 3, "%02x", mac[i]);
}
