# Signalling from a browser, ours and others', side by side through real proxies; WEB_PATHS="none storefwd" for some, see compare.sh.
bench-web: all web deps-real $(TOOLS) tests/web/compare/node_modules/.package-lock.json
	@BUILD=$(abspath $(O)) tests/web/compare/compare.sh -o build/bench-web.json $(WEB_PATHS)
tests/web/compare/node_modules/.package-lock.json: tests/web/compare/package.json tests/web/compare/package-lock.json
	@cd tests/web/compare && npm ci --no-progress --loglevel=error >/dev/null && touch node_modules/.package-lock.json
.PHONY: bench-web
