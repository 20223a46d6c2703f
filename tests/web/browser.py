#!/usr/bin/python3
"""A real Chromium without a window, driven by its DevTools; the profile is a directory of the test's.

    async with Chromium(profile, proxy="http://127.0.0.1:3128", trust=["server.crt"]) as b:
        page = await b.page("https://localhost:8443/")
        value = await page.eval("await fetch('/x').then(r => r.status)")
        page.console, page.errors                     lines that were written; exceptions that nobody caught

Run by itself it opens pages one after the other and prints what they write to the console:
    browser.py [--insecure] [--until TEXT] [--seconds N] PROFILE URL...
"""
import asyncio
import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cdp import Failed, Link  # noqa: E402

ALWAYS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--disable-sync", "--metrics-recording-only", "--no-default-browser-check", "--password-store=basic",
          "--use-mock-keychain", "--remote-debugging-pipe"]


def spki(certificate):
    """What --ignore-certificate-errors-spki-list wants: the SHA-256 of a PEM certificate's public key."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key, check=True, capture_output=True).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def said(argument):
    """An argument of console.log as text."""
    if "value" in argument:
        value = argument["value"]
        return value if isinstance(value, str) else json.dumps(value)
    return argument.get("unserializableValue") or argument.get("description") or argument.get("type", "")


def thrown(details):
    return details.get("exception", {}).get("description") or str(details.get("exception", {}).get("value", details.get("text", "thrown")))


class Target:
    """Something that runs scripts: a page, a worker."""

    def __init__(self, browser, target, session, kind, url):
        self.browser, self.link, self.target, self.session, self.kind, self.url = browser, browser.link, target, session, kind, url
        self.console, self.errors, self.workers = [], [], []

    async def call(self, method, params=None, timeout=60):
        return await self.link.call(method, params, self.session, timeout)

    def on(self, method, callback):
        self.link.listen(self.session, method, callback)

    async def _begin(self):
        self.on("Runtime.consoleAPICalled", lambda p: self.console.append(" ".join(said(a) for a in p["args"])))
        self.on("Runtime.exceptionThrown", lambda p: self.errors.append(thrown(p["exceptionDetails"])))
        self.on("Target.attachedToTarget", lambda p: self.browser._attached(p, self))
        await self.call("Runtime.enable")
        with contextlib.suppress(Failed):
            await self.call("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True})

    async def eval(self, script, timeout=60):
        """The value (JSON) of an expression, in which await may stand; Failed when it throws."""
        answer = await self.call("Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True, "replMode": True,
                                                      "userGesture": True, "allowUnsafeEvalBlockedByCSP": False}, timeout)
        if "exceptionDetails" in answer:
            raise Failed(thrown(answer["exceptionDetails"]))
        return answer["result"].get("value")

    async def wait(self, script, seconds=20):
        """Until an expression is true; its value."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            value = await self.eval(script)
            if value:
                return value
            if asyncio.get_running_loop().time() > end:
                raise Failed("not within %d s: %s; console: %s %s" % (seconds, script, self.console[-5:], self.errors[-5:]))
            await asyncio.sleep(0.05)


class Page(Target):
    async def _begin(self):
        self.loaded = asyncio.Event()
        self.requests = []
        self.on("Page.loadEventFired", lambda p: self.loaded.set())
        await super()._begin()
        await self.call("Page.enable")

    async def go(self, url, seconds=30):
        self.loaded.clear()
        answer = await self.call("Page.navigate", {"url": url})
        if answer.get("errorText"):
            raise Failed("%s: %s" % (url, answer["errorText"]))
        await asyncio.wait_for(self.loaded.wait(), seconds)
        self.url = url

    async def back(self):
        """To the page before, which may come out of the back/forward cache (then no load event comes)."""
        history = await self.call("Page.getNavigationHistory")
        entry = history["entries"][history["currentIndex"] - 1]
        await self.call("Page.navigateToHistoryEntry", {"entryId": entry["id"]})

    async def before(self, script):
        """A script that runs before those of each document to come."""
        await self.call("Page.addScriptToEvaluateOnNewDocument", {"source": script})

    async def watch(self):
        """Keeps the URLs of its requests (method, URL) in page.requests from now on."""
        self.on("Network.requestWillBeSent", lambda p: self.requests.append((p["request"]["method"], p["request"]["url"])))
        await self.call("Network.enable")

    async def offline(self, yes=True):
        await self.call("Network.enable")
        await self.call("Network.emulateNetworkConditions", {"offline": yes, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})

    async def freeze(self, yes=True):
        await self.call("Page.setWebLifecycleState", {"state": "frozen" if yes else "active"})

    async def close(self):
        with contextlib.suppress(Failed):
            await self.link.call("Target.closeTarget", {"targetId": self.target})
        self.link.forget(self.session)


class Chromium:
    """args: more of its options. trust: PEM files whose keys are trusted. third_party: false blocks their cookies. log: a file for its stderr. bypass: what is
    reached without the proxy."""

    def __init__(self, profile, args=(), proxy=None, trust=(), insecure=False, third_party=True, log=None, bypass=()):
        self.profile, self.log = str(profile), log
        self.args = [*ALWAYS, *args, "--user-data-dir=" + self.profile]
        self.args += ["--proxy-server=" + proxy, "--proxy-bypass-list=" + ";".join(["<-loopback>", *bypass])] if proxy else ["--no-proxy-server"]
        if trust:
            self.args.append("--ignore-certificate-errors-spki-list=" + ",".join(spki(c) for c in trust))
        if insecure:
            self.args.append("--ignore-certificate-errors")
        self.third_party = third_party
        self.pages, self.workers = [], []
        self.process = self.link = None

    def _prepare(self):
        where = os.path.join(self.profile, "Default")
        os.makedirs(where, exist_ok=True)
        if not self.third_party:
            with open(os.path.join(where, "Preferences"), "w", encoding="utf-8") as f:
                json.dump({"profile": {"cookie_controls_mode": 1, "block_third_party_cookies": True}}, f)

    async def __aenter__(self):
        self._prepare()
        come_r, come_w = os.pipe()
        to_r, to_w = os.pipe()

        def pipes():
            # They must be 3 and 4 there.
            a, b = os.dup2(to_r, 100, True), os.dup2(come_w, 101, True)
            os.dup2(a, 3, True)
            os.dup2(b, 4, True)
            os.closerange(5, 102)

        err = open(self.log or os.devnull, "ab")
        self.process = subprocess.Popen([os.environ.get("CHROMIUM", "chromium"), *self.args, "about:blank"], stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                                        env={**os.environ, "HOME": self.profile}, start_new_session=True, close_fds=False, preexec_fn=pipes)
        err.close()
        os.close(come_w)
        os.close(to_r)
        self.link = Link(to_w, come_r)
        await self.link.begin()
        try:
            self.link.listen(None, "Target.attachedToTarget", lambda p: self._attached(p, None))
            self.link.listen(None, "Target.targetCreated", self._created)
            self.link.listen(None, "Target.detachedFromTarget", lambda p: self.link.forget(p["sessionId"]))
            self.version = await self.link.call("Browser.getVersion", timeout=40)
            await self.link.call("Target.setDiscoverTargets", {"discover": True, "filter": [{"type": "shared_worker"}, {"exclude": True}]})
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_):
        with contextlib.suppress(Failed):
            await self.link.call("Browser.close", timeout=5)
        await self._stop()

    async def _stop(self):
        """Its processes are a session of their own, whose number is the first one's."""
        for _ in range(60):
            if self.process.poll() is not None:
                break
            await asyncio.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.link.end()

    def _created(self, p):
        info = p["targetInfo"]
        if info["type"] == "shared_worker" and not info["attached"]:
            asyncio.ensure_future(self._attach_worker(info["targetId"]))

    async def _attach_worker(self, target):
        with contextlib.suppress(Failed):
            await self.link.call("Target.attachToTarget", {"targetId": target, "flatten": True})

    def _attached(self, p, parent):
        info = p["targetInfo"]
        if "worker" not in info["type"]:
            return
        worker = Target(self, info["targetId"], p["sessionId"], info["type"], info["url"])
        (parent.workers if parent else self.workers).append(worker)
        asyncio.ensure_future(self._worker(worker))

    async def _worker(self, worker):
        with contextlib.suppress(Failed):
            await worker._begin()

    async def page(self, url=None, before=None):
        target = (await self.link.call("Target.createTarget", {"url": "about:blank"}))["targetId"]
        session = (await self.link.call("Target.attachToTarget", {"targetId": target, "flatten": True}))["sessionId"]
        page = Page(self, target, session, "page", url)
        await page._begin()
        if before:
            await page.before(before)
        self.pages.append(page)
        if url:
            await page.go(url)
        return page


async def main():
    import argparse
    parser = argparse.ArgumentParser(description="Opens pages and prints what they write to the console.")
    parser.add_argument("--insecure", action="store_true", help="trust any certificate")
    parser.add_argument("--until", default="done", help="a page is over when it has written this line (done)")
    parser.add_argument("--seconds", type=float, default=30, help="at most so long for each (30)")
    parser.add_argument("profile")
    parser.add_argument("urls", nargs="+")
    asked = parser.parse_args()
    missed = 0
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    async with Chromium(asked.profile, insecure=asked.insecure) as b:
        for url in asked.urls:
            page = await b.page(url)
            for _ in range(int(asked.seconds * 20)):
                if asked.until in page.console:
                    break
                await asyncio.sleep(0.05)
            else:
                missed += 1
            print("\n".join(page.console + ["error: " + e for e in page.errors]), flush=True)
            await page.close()
    shutil.rmtree(asked.profile, ignore_errors=True)
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except asyncio.CancelledError:
        sys.exit(0)
