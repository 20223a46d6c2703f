#!/usr/bin/python3
"""run: what is compared through one path, in a Chromium; writes JSON: {"path", "exchange": [[ms, ...], ...], "systems": {name: [result, ...]}}.

    run.py --dir DIR --where JSON --out FILE [--proxy URL] [--systems NAME,...] [--repeats N] [--quick] [--only MEASURE,...] [--name PATH]

Each repeat measures the path's own exchange and then all systems, one after the other, each time in another order; a measurement that fails
is {"error": why}. --where: see systems.js. DIR gets the profile.
"""
import argparse
import asyncio
import contextlib
import json
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from browser import Chromium  # noqa: E402
from cdp import Failed  # noqa: E402
from website import Site  # noqa: E402

WEB = os.path.join(HERE, "..", "..", "..", "client", "web")
ALL = ["engine.io", "sockjs-polling", "sockjs-streaming", "culvert-poll", "culvert-sse", "culvert-stream", "culvert", "janus-rest", "janus-culvert"]
QUIET = ["--disable-features=OptimizationHints,OptimizationGuideModelDownloading,MediaRouter,Translate"]  # connections of its own
MESSAGE, LARGE = 200, 1024  # bytes: as signalling has them, and those of which many are sent


def plan(quick, only):
    return [step for step in [
        ("latency", {"mean": 150, "size": MESSAGE, "count": 15 if quick else 50}),
        ("echo", {"size": MESSAGE, "count": 5 if quick else 20}),
        ("flood", {"size": LARGE, "count": 500 if quick else 3000}),
        ("flooded", {"size": LARGE, "count": 500 if quick else 3000}),
        ("window", {"size": LARGE, "count": 200 if quick else 800, "outstanding": 16}),
    ] if not only or step[0] in only]


class Run:
    def __init__(self, options, browser, site):
        self.options, self.browser, self.site = options, browser, site

    async def ask(self, script, seconds):
        page = await self.browser.page(self.site.url + "/page.html")
        try:
            return await page.eval("await " + script, seconds)
        except Failed as e:
            return {"error": str(e).split("\n")[0], "console": page.console[-3:] + page.errors[-3:]}
        finally:
            await page.close()

    async def one(self, name):
        where = json.dumps(self.options.where)
        if name == "exchange":
            return await self.ask("exchange(%s, %s)" % (where, json.dumps({"size": MESSAGE, "count": 15 if self.options.quick else 40})), 90)
        if name.startswith("janus"):
            options = {"size": MESSAGE, "count": 10 if self.options.quick else 30, "outstanding": 16}
            return await self.ask("janus(%s, %s, %s)" % (json.dumps(name), where, json.dumps(options)), 150)
        return await self.ask("measure(%s, %s, %s)" % (json.dumps(name), where, json.dumps(plan(self.options.quick, self.options.only))), 240)


def rotated(items, n):
    n %= len(items)
    return items[n:] + items[:n]


async def main(options):
    result = {"path": options.name, "exchange": [], "systems": {name: [] for name in options.systems}}
    async with contextlib.AsyncExitStack() as stack:
        site = await stack.enter_async_context(Site([("", HERE), ("dist", os.path.join(WEB, "dist"))], port=options.site_port, name="127.0.0.1"))
        browser = await stack.enter_async_context(Chromium(os.path.join(options.dir, "profile"), QUIET, options.proxy, insecure=True,
                                                           log=os.path.join(options.dir, "chromium.log"), bypass=["127.0.0.1:%d" % site.port]))
        run = Run(options, browser, site)
        for repeat in range(options.repeats):
            for name in ["exchange", *rotated(options.systems, repeat)]:
                got = await run.one(name)
                if name == "exchange":
                    result["exchange"].append(got.get("ms", []))
                else:
                    result["systems"][name].append(got)
                if "error" in got:
                    sys.stderr.write("%s, %s: %s %s\n" % (options.name, name, got["error"], got["console"]))
                with open(options.out + ".new", "w", encoding="utf-8") as f:
                    json.dump(result, f)
                os.replace(options.out + ".new", options.out)


if __name__ == "__main__":
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--dir", required=True)
    a.add_argument("--where", required=True, type=json.loads)
    a.add_argument("--out", required=True)
    a.add_argument("--proxy")
    a.add_argument("--systems", type=lambda text: text.split(","), default=ALL)
    a.add_argument("--repeats", type=int, default=3)
    a.add_argument("--site-port", type=int, default=0, help="of the page; culvertd must know it")
    a.add_argument("--quick", action="store_true")
    a.add_argument("--only", type=lambda text: text.split(","), default=[], help="of what is measured over one connection")
    a.add_argument("--name", default="path")
    asyncio.run(main(a.parse_args()))
