/*
 * TURN credentials: names and passwords that a TURN server believes for a while, since it shares a secret with us ("A REST API For Access To
 * TURN Services", draft-uberti-behave-turn-rest-00; coturn's use-auth-secret).
 */
#ifndef SERVER_REST_TURN_H
#define SERVER_REST_TURN_H

#include <stddef.h>
#include <stdint.h>

#include "server/rest_text.h"

#define TURN_CREDENTIALS_URIS_MAX 32

struct turn_credentials;

/* secret_file: its first line is the TURN server's static-auth-secret. uris: "turn:turn.example.org:3478?transport=udp", of "turn:" or "turns:" (RFC 7065);
 * they are copied. NULL and in error what is wrong. */
struct turn_credentials *turn_credentials_new(const char *secret_file, const char *const *uris, size_t n, uint32_t ttl_s, char *error, size_t size);
void turn_credentials_free(struct turn_credentials *);	/* NULL is fine */
/* Adds the JSON object: username, password, ttl, uris. */
void turn_credentials_put(const struct turn_credentials *, const char *identity, int64_t unix_seconds, struct rest_text *);

#endif
