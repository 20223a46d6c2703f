#!/usr/bin/python3
"""real: the clients of real signalling servers, in a real browser, by one path.

    real.py PLAN.json       prints a line of JSON for each run; exit status 0 when each is as the plan expects

The plan: proxy (URL or null), args (of Chromium), trust (PEM files), page (URL of the pages' server), native {client: ws URL}, base, token, messages, patience (ms),
runs [[client, mode]...] with mode native, culvert (it may use a WebSocket) or fallback (it may not); expected: native (see rows.sh), culvert (transport).
"""
import asyncio
import json
import os
import re
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from browser import Chromium  # noqa: E402
from cdp import Failed  # noqa: E402

ARGS = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required"]


def options_of(plan, client, mode):
    return {"base": plan["base"], "service": "janus" if client == "janus" else "sip", "token": plan["token"], "native": mode == "culvert"}


async def open_page(page, url):
    """As a person would: once more when the proxy has refused a part of it, as one with a limit of connections does."""
    for _ in range(5):
        await page.go(url)
        if await page.eval("typeof run === 'function'"):
            return
    raise Failed("the page does not come whole")


async def live(browser, plan, client, mode):
    """One page's life: what it returns, and what the browser said of its network."""
    said = []
    url = plan["native"][client]
    page = await browser.page(before="window.SIGNALLING = %s" % json.dumps({url: options_of(plan, client, mode)}))
    page.on("Log.entryAdded", lambda p: said.append(p["entry"]["text"]))
    try:
        await page.call("Log.enable")
        await open_page(page, "%s/%s-%s.html" % (plan["page"], client, "native" if mode == "native" else "culvert"))
        options = {"url": url, "messages": plan["messages"], "patience": plan["patience"]}
        result = await page.eval("await run(%s)" % json.dumps(options), timeout=plan.get("timeout", 60))
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


def complaint(plan, mode, result):
    """What is not as it should be, or None."""
    expected = plan["expected"][mode]
    if mode == "native" and expected != "works":
        return fails_rightly(expected, result)
    wrong = lived(result)
    if wrong or mode == "native":
        return wrong
    return other_transport(plan["expected"][mode], [s["transport"] for s in result["sockets"]])


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


async def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        plan = json.load(f)
    wrong = 0
    async with Chromium(plan["profile"], args=ARGS + plan["args"], proxy=plan["proxy"], trust=plan["trust"], log=plan["profile"] + ".err") as browser:
        for client, mode in plan["runs"]:
            result = await live(browser, plan, client, mode)
            result["complaint"] = complaint(plan, mode, result)
            wrong += result["complaint"] is not None
            line = {"proxy": plan["kind"], "client": client, "mode": mode, **result}
            line["transports"] = sorted({s["transport"] for s in result["sockets"]})
            line["p50"] = statistics.median(result["latency"]) if result["latency"] else None
            print(json.dumps(line), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
