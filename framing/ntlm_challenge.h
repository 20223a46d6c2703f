/*
 * The challenge of NTLM ([MS-NLMP] 2.2.1.2), as far as it must be put right: old helpers
 * of proxies send it without the fields for target information, and with a target name
 * that lies nowhere, which browsers overlook and gss-ntlmssp refuses.
 */
#ifndef FRAMING_NTLM_CHALLENGE_H
#define FRAMING_NTLM_CHALLENGE_H

#include <stddef.h>
#include <stdint.h>

#define NTLM_CHALLENGE_MAX 4096	/* bytes */

/* Writes the challenge with all fields into out, of NTLM_CHALLENGE_MAX bytes, and returns its length; 0 when in, of n bytes, is
 * none, is longer, or needs nothing. */
size_t ntlm_challenge_complete(const uint8_t *in, size_t n, uint8_t *out);

#endif
