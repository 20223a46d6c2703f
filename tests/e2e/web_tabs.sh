#!/usr/bin/env bash
# Pages that sleep, lose the network, come out of the back/forward cache; six tabs hold four requests, and starve without locks.
# seconds: 120
# long
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/web/web.sh"
setup_pages
pages_try ${ONLY:-sleeping offline back tabs starving}
rm -rf "$W"/profile-*
