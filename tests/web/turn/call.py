#!/usr/bin/python3
"""call: calls in a real browser. Prints a line of JSON for each thing done.

    call.py control --profile DIR --proxy URL [--trust PEM]... --turns HOST:PORT --wss URL      what a page reaches by itself: TURN over TLS, a WebSocket
    call.py echo --profile DIR [--proxy URL] --page URL --signalling URL --turn URL... [--seconds N]    Janus' echo test
    call.py room ...the same...                                                                 a VideoRoom; waits for the other party

What is on this machine is reached without the proxy, as browsers do.
"""
import argparse
import asyncio
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from browser import Chromium  # noqa: E402
from cdp import Failed  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ARGS = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required"]
PATIENCE = 8000  # ms for what is expected to fail, too


def servers(o):
    """As a page writes it (client/BROWSERS.md)."""
    return [{"urls": o.turn, "username": o.user, "credential": o.password}]


async def control(browser, o):
    with open(os.path.join(HERE, "call.js"), encoding="utf-8") as f:
        script = f.read()
    page = await browser.page("about:blank", before=script)
    o.turn = ["turns:%s?transport=tcp" % o.turns]
    found, opened = await asyncio.gather(page.eval("await relays(%s, %d)" % (json.dumps(servers(o)), PATIENCE)),
                                         page.eval("await opens(%s, %d)" % (json.dumps(o.wss), PATIENCE)))
    return {"turns": "works" if found["found"] else "fails", "wss": "works" if opened["opened"] else "fails", "turns_ms": found["after"],
            "wss_ms": opened["after"], "why": opened["why"]}


async def call(browser, o):
    page = await browser.page(o.page)
    settings = {"signalling": o.signalling, "iceServers": servers(o), "width": o.width, "height": o.width * 3 // 4 if o.width < 1000 else o.width * 9 // 16,
                "fps": o.fps, "bitrate": o.bitrate, "choose": o.choose}
    try:
        first = await page.eval("await %s(%s)" % (o.verb, json.dumps(settings)), 90)
        print(json.dumps({"connected": first}), flush=True)
        await asyncio.sleep(o.settle)
        return await page.eval("await watched(%g)" % o.seconds, o.seconds + 60)
    except Failed as e:
        return {"failed": str(e), "console": page.console[-5:] + page.errors[-5:]}


def options():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("verb", choices=("control", "echo", "room"))
    a.add_argument("--profile", required=True)
    a.add_argument("--proxy", help="URL")
    a.add_argument("--browser", action="append", default=[], help="one more argument of its")
    a.add_argument("--trust", action="append", default=[], help="a certificate, PEM")
    a.add_argument("--turns", help="HOST:PORT of TURN over TLS")
    a.add_argument("--wss", help="a WebSocket of Janus")
    a.add_argument("--page", help="where call.html is")
    a.add_argument("--signalling", help="URL of Janus for the page")
    a.add_argument("--turn", action="append", default=[], help="URLs of TURN")
    a.add_argument("--choose", action="store_true", help="TURN by UDP alone where that is reached")
    a.add_argument("--user", default="user")
    a.add_argument("--password", default="secret")
    a.add_argument("--seconds", type=float, default=5, help="watched")
    a.add_argument("--settle", type=float, default=2, help="seconds that are not watched, after the first frame")
    a.add_argument("--width", type=int, default=320)
    a.add_argument("--fps", type=int, default=15)
    a.add_argument("--bitrate", type=int, default=512000)
    return a.parse_args()


async def main():
    o = options()
    async with Chromium(o.profile, args=ARGS + o.browser, proxy=o.proxy, bypass=["127.0.0.1"], trust=o.trust, log=o.profile + ".err") as browser:
        result = await (control if o.verb == "control" else call)(browser, o)
    print(json.dumps(result), flush=True)
    return 1 if "failed" in result else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
