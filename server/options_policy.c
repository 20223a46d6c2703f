/* Where helpers may go beside the services: the lists `targets`, for everyone and for single identities. */
#include "framing/error.h"
#include "server/options_internal.h"

/* Rules of the whole configuration. */
static struct policy *read_everyone(const struct options *o, char *why, size_t size)
{
	const char *rules[CONFIG_ITEMS_MAX];
	size_t n = config_list_size(o->config, "targets");

	for (size_t i = 0; i < n; i++)
		rules[i] = config_list(o->config, "targets", i);
	return policy_new(rules, n, why, size);
}

static struct policy *read_own(const struct config_section *section, char *why, size_t size)
{
	const char *rules[CONFIG_ITEMS_MAX];
	size_t n = config_section_list_size(section, "targets");

	for (size_t i = 0; i < n; i++)
		rules[i] = config_section_list(section, "targets", i);
	return policy_new(rules, n, why, size);
}

int options_read_policies(struct options *o, char *error, size_t size)
{
	struct policy *policy;
	char why[512];

	policy = read_everyone(o, why, sizeof why);
	if (!policy)
		return options_wrong(error, size, config_where(o->config, "targets", 0), "%s", why);
	o->policies = policies_new(policy);
	for (size_t i = 0; i < config_sections(o->config, "identity"); i++) {
		const struct config_section *section = config_section(o->config, "identity", i);

		policy = read_own(section, why, sizeof why);
		if (!policy)
			return options_wrong(error, size, config_section_where(section), "targets: %s", why);
		if (!policies_add(o->policies, config_section_title(section), policy))
			return options_wrong(error, size, config_section_where(section), "identity '%s' is there twice, or there are more than %d",
					     config_section_title(section), POLICIES_MAX);
	}
	return 0;
}
