/*
 * The stage "settings": what the system and the desktop say, by libproxy, the only
 * file that sees it. Without its PAC runner (which would be WebKit) libproxy 0.4 answers
 * "direct" where a PAC file is set; but with _PX_DEBUG it writes to standard error which
 * settings it found, "\tpac+URL" or "\twpad://", before it tries to fetch them (in vain: there
 * is no network in here). The parent reads that, and needs no more. Lines:
 *   "\t..."          settings as found
 *   "found URL"      a candidate; "direct://" is one, too
 *   "found"          the end
 *   "no SENTENCE"    nothing could be found out
 */
#include <proxy.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/sandbox.h"
#include "client/stage.h"

int stage_settings(void)
{
	char line[1024];
	const char *url;
	char **found;
	pxProxyFactory *factory;
	void *library;

	if (!stage_line(line, sizeof line) || !(url = stage_value(line, "url")))
		return 2;
	library = stage_library("libproxy.so.1");
	if (!library)
		return 0;
	if (dup2(STDOUT_FILENO, STDERR_FILENO) < 0 || sandbox_enter(SANDBOX_SETTINGS, NULL) < 0) {
		stage_say("no sandbox for libproxy");
		return 0;
	}
	factory = LIBRARY_FUNCTION(library, px_proxy_factory_new)();
	found = factory ? LIBRARY_FUNCTION(library, px_proxy_factory_get_proxies)(factory, url) : NULL;
	if (!found) {
		stage_say("no answer of libproxy");
		return 0;
	}
	for (char **f = found; *f; f++)
		stage_say("found %s", *f);
	stage_say("found");
	/* Its programs end with us; its destructors might wait for them. */
	_exit(0);
}
