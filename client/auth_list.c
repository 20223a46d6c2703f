/* Lists of schemes. Called by options.c. */
#include "client/auth_list.h"

#include <string.h>

static const struct {
	const char *name;
	enum auth_scheme scheme;
} schemes[] = {
	{ "negotiate", AUTH_NEGOTIATE },
	{ "ntlm", AUTH_NTLM },
	{ "digest", AUTH_DIGEST },
	{ "basic", AUTH_BASIC },
};

static unsigned bit_of(const char *s, size_t n)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (n == strlen(schemes[i].name) && strncasecmp(s, schemes[i].name, n) == 0)
			return 1u << schemes[i].scheme;
	return 0;
}

unsigned auth_list_parse(const char *s)
{
	unsigned mask = 0;

	for (s += strspn(s, " "); *s;) {
		size_t n = strcspn(s, ", ");
		unsigned bit = bit_of(s, n);

		if (!bit)
			return 0;
		mask |= bit;
		s += n + strspn(s + n, ", ");
	}
	return mask;
}
