# Other people's signalling clients, as npm has them at the versions of tests/web/package-lock.json.
WEB_MODULES := tests/web/node_modules/.package-lock.json
WEB_REAL := build/web-real
$(WEB_MODULES): tests/web/package.json tests/web/package-lock.json | deps-real
	$(call say,NPM)
	$(Q)npm ci --prefix tests/web --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

web-real-pages: web $(WEB_MODULES)
	@tests/web/real/pages.sh $(WEB_REAL)
# ROWS="storefwd squid-bump" for some rows only.
web-real: all web-real-pages
	@BUILD=$(abspath $(O)) tests/web/real/real.sh -o build/web-real.json $(ROWS)
.PHONY: web-real web-real-pages
