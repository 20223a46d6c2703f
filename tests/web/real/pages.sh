#!/usr/bin/env bash
# pages.sh DIR: the pages of `make web-real`: each client bundled as it is, once with the native WebSocket and once with one line more.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
to=$1
mkdir -p "$to"
for client in janus jssip sipjs; do
	"$here/../node_modules/.bin/esbuild" "$here/$client.js" --bundle --log-level=warning --format=iife --target=es2022 --outfile="$to/$client.js"
	for page in native culvert; do
		sed "s/@CLIENT@/$client/" "$here/$page.html" >"$to/$client-$page.html"
	done
done
cp "$here/../../../client/web/dist/culvert-web.umd.js" "$to/"
