#!/usr/bin/python3
"""once_chromium: CulvertSocket in Chromium through a proxy: as once_node.mjs; the page sleeps (is frozen) now and then.

    once_chromium.py PROFILE PROXY-PORT SERVER-PORT BEARER COUNT TRANSPORT SITE-PORT
"""
import asyncio
import contextlib
import json
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from browser import Chromium  # noqa: E402
from cdp import Failed  # noqa: E402
from website import Site  # noqa: E402

DIST = os.path.join(HERE, "..", "..", "client", "web", "dist")
PAGE = """<!DOCTYPE html><title>once</title><script type="module">
import { CulvertSocket } from "/dist/culvert-web.js";
import { ended, once } from "/once.mjs";
window.begin = (options, count) => {
	const seen = new Set();
	const socket = new CulvertSocket("wss://once.example/", [], options);
	window.came = 0;
	window.all = once(socket, count, { window: 60, pace: (i) => (i % 100 === 99 ? 20 : 0), progress: (came) => {
		window.came = came;
		seen.add(socket.transport);
	} }).then((it) => {
		window.end = ended(socket, 120).then((e) => `closed ${e.code} ${e.clean}`, (e) => "FAILED " + e.message);
		return `all ${it.came} ${it.ms} ${[...seen]}`;
	}, (e) => "FAILED " + e.message);
};
</script>"""


async def sleeps(page):
    """Frozen for some seconds, and then not for some more."""
    while True:
        await asyncio.sleep(5)
        await page.freeze()
        await asyncio.sleep(3)
        await page.freeze(False)


async def main(profile, proxy, server, token, count, transport, port):
    os.makedirs(profile, exist_ok=True)
    with open(os.path.join(profile, "index.html"), "w", encoding="utf-8") as f:
        f.write(PAGE)
    options = {"base": "https://localhost:%s/culvert" % server, "service": "sig", "token": token}
    if transport != "all":
        options["transports"] = [transport]
    async with contextlib.AsyncExitStack() as stack:
        site = await stack.enter_async_context(Site([("", profile), ("", HERE), ("dist", DIST)], port=int(port), name="127.0.0.1"))
        browser = await stack.enter_async_context(Chromium(os.path.join(profile, "p"), proxy="http://127.0.0.1:" + proxy, insecure=True,
                                                           bypass=["127.0.0.1:%d" % site.port]))
        page = await browser.page(site.url + "/")
        await page.wait("!!window.begin")
        await page.eval("begin(%s, %s)" % (json.dumps(options), count))
        asleep = asyncio.ensure_future(sleeps(page))
        said = await page.eval("await window.all", 900)
        asleep.cancel()
        with contextlib.suppress(Failed, asyncio.CancelledError):
            await asleep
        await page.freeze(False)
        print(said, flush=True)
        if said.startswith("all"):
            print(await page.eval("await window.end", 150), flush=True)


asyncio.run(main(*sys.argv[1:]))
