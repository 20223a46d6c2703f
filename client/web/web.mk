# The browser library: client/web/dist, and its own tests.
WEB := client/web

$(WEB)/node_modules/.package-lock.json: $(WEB)/package.json $(WEB)/package-lock.json
	@cd $(WEB) && npm ci --no-progress --loglevel=error >/dev/null && touch node_modules/.package-lock.json
$(WEB)/dist/culvert-web.js: $(WEB)/node_modules/.package-lock.json $(WEB)/build.mjs $(WEB)/tsconfig.json $(wildcard $(WEB)/src/*.ts)
	@cd $(WEB) && node build.mjs
web: $(WEB)/dist/culvert-web.js
web-test: web
	@cd $(WEB) && npm test --silent >dist/tests.log 2>&1 || sed -n '/^not ok/,/^  \.\.\./p' dist/tests.log
	@sed -n 's/^# \(pass\|fail\) //p' $(WEB)/dist/tests.log | { read -r passed; read -r failed; echo "web library: $$passed passed, $$failed failed"; [ "$$failed" = 0 ]; }

.PHONY: web web-test
