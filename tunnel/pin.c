/*
 * Pins as people write and copy them. Called by the options, by what explains a
 * certificate, and by what shows it.
 */
#include "tunnel/pin.h"

#include <string.h>

#include "framing/base64.h"

#define PREFIX "sha256/"
#define PREFIX_LEN (sizeof PREFIX - 1)

void pin_text(const uint8_t pin[PIN_SIZE], char out[PIN_TEXT])
{
	memcpy(out, PREFIX, PREFIX_LEN);
	base64_encode(out + PREFIX_LEN, pin, PIN_SIZE, false);
}

bool pin_parse(const char *s, uint8_t pin[PIN_SIZE])
{
	uint8_t got[PIN_SIZE];

	if (strncmp(s, PREFIX, PREFIX_LEN) != 0)
		return false;
	s += PREFIX_LEN;
	if (*s == '/' && strlen(s) == base64_len(PIN_SIZE, false) + 1)
		s++;
	if (base64_decode(got, sizeof got, s, strlen(s), false) != PIN_SIZE)
		return false;
	memcpy(pin, got, sizeof got);
	return true;
}
