#!/usr/bin/env bash
# Pages that sleep, sleep too long, lose the network, come out of the back/forward cache; six tabs hold four requests, and starve without locks.
# seconds: 120
# long
. "$(dirname "$0")/e2e.sh"
. "$TOP/tests/web/web.sh"
setup_pages --rest-expire 6
pages_try ${ONLY:-sleeping expired offline back tabs starving}
rm -rf "$W"/profile-*
