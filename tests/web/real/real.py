#!/usr/bin/python3
"""real: the clients of real signalling servers, in a real browser, by one path. Prints a line of JSON for each run; exit status 0 when each is as expected.

Modes: native, the platform's WebSocket; culvert, the README's line for the client, with a probe for native WebSockets; fallback, that line as it is.
"""
import argparse
import asyncio
import json
import os
import re
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from browser import Chromium  # noqa: E402
from cdp import Failed  # noqa: E402

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "README.md")
MESSAGES, PATIENCE = 20, 8000  # sent to measure; ms to be registered
NAMES = {"janus": "janus.js", "jssip": "JsSIP", "sipjs": "SIP.js"}
SERVICES = {"janus": "janus", "jssip": "sip", "sipjs": "sip"}
ARGS = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required"]


def line_of(o, client, mode):
    """The README's line for a client, with what is here in place of the examples."""
    with open(README, encoding="utf-8") as f:
        line = re.search(r"^\| %s \| `(.*)` \|$" % re.escape(NAMES[client]), f.read(), re.M).group(1)
    for example, here in (("wss://app.example", o.ws), ("https://gw.example/culvert", o.at + "/culvert"), ("token }", 'token, native: { probe: "%s/probe" } }' % o.ws)):
        if example not in line:
            raise Failed("the README's line for %s has no %s" % (NAMES[client], example))
        if mode == "culvert" or example != "token }":
            line = line.replace(example, here)
    return line


async def open_page(page, url):
    """As a person would: once more when the proxy has refused a part of it, as one with a limit of connections does."""
    for _ in range(5):
        await page.go(url)
        if await page.eval("typeof run === 'function' && (%s || typeof CulvertWeb === 'object')" % ("true" if "-native." in url else "false")):
            return
    raise Failed("the page does not come whole")


async def live(browser, o, client, mode):
    """One page's life: what it returns, and what the browser said of its network."""
    said = []
    service = SERVICES[client]
    page = await browser.page(before="window.LINE = %s; window.TOKEN = %s" % (json.dumps(line_of(o, client, mode)), json.dumps(o.token[service])))
    page.on("Log.entryAdded", lambda p: said.append(p["entry"]["text"]))
    try:
        await page.call("Log.enable")
        await open_page(page, "%s/%s-%s.html" % (o.page, client, "native" if mode == "native" else "culvert"))
        result = await page.eval("await run(%s)" % json.dumps({"url": "%s/%s" % (o.ws, service), "messages": MESSAGES, "patience": PATIENCE}))
    except (Failed, asyncio.TimeoutError) as e:
        result = {"failed": {"step": "page", "why": str(e)}, "steps": {}, "latency": [], "sockets": []}
    await asyncio.sleep(0.1)
    result["said"] = said[-5:] + page.errors[-3:]
    await page.close()
    return result


def lived(result):
    if result["failed"]:
        return "%(step)s: %(why)s" % result["failed"]
    if "closed" not in result["steps"]: # the last one
        return "it did not come to its end"
    broken = [s["closed"] for s in result["sockets"] if not s["closed"][2]]
    return "it ended uncleanly: %s" % broken if broken else None


def complaint(expected, mode, result):
    """What is not as it should be, or None."""
    if mode == "native" and expected != "works":
        return fails_rightly(expected, result)
    wrong = lived(result)
    if wrong or mode == "native":
        return wrong
    return other_transport(expected, [s["transport"] for s in result["sockets"]])


def other_transport(wanted, used):
    """Of several sockets in a page one may have a request that is held; the others make do with short polls."""
    if wanted in used and set(used) <= {wanted, "poll"} and (wanted != "native" or "poll" not in used):
        return None
    return "it used %s, not %s" % (" and ".join(used), wanted)


def fails_rightly(expected, result):
    if not result["failed"]:
        return "the native WebSocket works, though it should not"
    if result["failed"]["step"] != "registered":
        return "it failed at %(step)s: %(why)s" % result["failed"]
    received = sum(s["received"] for s in result["sockets"])
    if received:
        return "it was not to receive anything"
    kind, _, text = expected.partition(":")
    if kind == "silent":
        return None if any(s["state"] == 1 for s in result["sockets"]) else "it did not even open: %s" % result["said"]
    return None if any(re.search(text, line) for line in result["said"]) else "it failed for another reason: %s" % result["said"]


def options():
    pair = lambda text: text.split("=", 1)
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--kind", required=True, help="of the proxy, for the report")
    a.add_argument("--proxy", default="", help="URL")
    a.add_argument("--trust", help="a certificate, PEM")
    a.add_argument("--browser", default="", help="one more argument of its")
    a.add_argument("--page", required=True, help="URL of the pages' server")
    a.add_argument("--at", required=True, help="URL of culvertd, and of what WebSockets go to")
    a.add_argument("--profile", required=True)
    a.add_argument("--token", action="append", type=pair, metavar="SERVICE=JWT")
    a.add_argument("--expect", action="append", type=pair, metavar="MODE=WHAT", help="see rows.sh")
    a.add_argument("--clients", default=" ".join(NAMES))
    a.add_argument("--modes", required=True)
    o = a.parse_args()
    o.token, o.expect, o.ws = dict(o.token), dict(o.expect), o.at.replace("http", "ws", 1)
    return o


async def main():
    o = options()
    wrong = 0
    async with Chromium(o.profile, args=ARGS + [a for a in [o.browser] if a], proxy=o.proxy or None, trust=[o.trust], log=o.profile + ".err") as browser:
        for client, mode in ((c, m) for m in o.modes.split() for c in o.clients.split()):
            result = await live(browser, o, client, mode)
            result["complaint"] = complaint(o.expect[mode], mode, result)
            wrong += result["complaint"] is not None
            result["transports"] = sorted({s["transport"] for s in result["sockets"]})
            result["p50"] = statistics.median(result["latency"]) if result["latency"] else None
            print(json.dumps({"proxy": o.kind, "client": client, "mode": mode, **result}), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
