#!/usr/bin/python3
"""The library in pages of all kinds, in Chromium. A line "ok NAME" or "FAIL NAME: why" for each; exit status 0 when all are ok.

    pages.py --dir DIR --base URL --token TEXT --cert PEM --key PEM --ports HTTP,HTTPS,OTHER --culvertd PROGRAM --admin SOCKET NAME...

--dir: for profiles. --ports: of the web servers; their origins are in the culvertd's configuration. What restarts the culvertd waits for DIR/opened.
"""
import argparse
import asyncio
import json
import os
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from browser import Chromium, Failed  # noqa: E402
from website import Site  # noqa: E402

TRANSPORTS = ("stream", "sse", "poll")
HOSTS = "--host-resolver-rules=MAP app.example 127.0.0.1, MAP other.example 127.0.0.1"


class Wrong(Exception):
    pass


def must(truth, why):
    if not truth:
        raise Wrong(why)


class Bench:
    """The web servers, a browser, and what sockets need."""

    def __init__(self, asked):
        self.asked = asked
        self.options = {"base": asked.base, "token": asked.token}
        self.http, self.https, self.other = map(int, asked.ports.split(","))

    def site(self, port, tls, headers=None, name="localhost"):
        roots = [("pages", os.path.join(HERE, "pages")), ("dist", os.path.join(HERE, "../../client/web/dist")),
                 ("web", os.path.join(HERE, "../../client/web"))]
        tls = (self.asked.cert, self.asked.key) if tls else (None, None)
        return Site(roots, *tls, headers=headers, port=port, name=name)

    def strict(self):
        gateway = urllib.parse.urlsplit(self.asked.base)
        return {"Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self' %s://%s" % (gateway.scheme, gateway.netloc)}

    def browser(self, name, *args, **more):
        return Chromium(os.path.join(self.asked.dir, "profile-" + name), args=[HOSTS, *args], trust=[self.asked.cert], **more)

    def only(self, transport):
        return {**self.options, "transports": [transport]}


def js(value):
    return json.dumps(value)


async def exchange(where, name, options, transport, seconds=30):
    said = await where.eval("await exchange(%s, %s, %s).catch(String)" % (js(name), js(options), js(transport)), seconds)
    must(said == "ok by " + transport, "%s: %s" % (transport, said))


async def pages(bench):
    """http://localhost and https:// pages with a strict CSP, each transport and all of them."""
    async with bench.site(bench.http, False, bench.strict()) as plain, bench.site(bench.https, True, bench.strict(), "app.example") as covered, \
            bench.browser("pages") as b:
        for site in (plain, covered):
            page = await b.page(site.url + "/pages/app.html")
            for transport in TRANSPORTS:
                await exchange(page, transport, bench.only(transport), transport)
                await page.eval("sockets.%s.s.close(); await until(() => sockets.%s.s.readyState === 3)" % (transport, transport))
            await exchange(page, "any", bench.options, "stream")
            must(not page.errors, "%s: %s" % (site.url, page.errors))
            refused = await page.eval("await fetch('https://localhost:1/').catch(e => 'refused')")
            must(refused == "refused" and not any("Content Security" in c for c in page.console), "CSP: %s" % page.console)
            await page.close()


async def csp_forbids(bench):
    """A CSP that does not name the gateway: an honest end, nothing silent."""
    headers = {"Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'"}
    async with bench.site(bench.http, False, headers) as site, bench.browser("csp") as b:
        page = await b.page(site.url + "/pages/app.html")
        said = await page.eval("await open('x', 'echo', {...%s, timeout: 2}).catch(String)" % js(bench.options))
        must(said == "Error: closed 1006" and await page.eval("sockets.x.told") == ["error", "close 1006 false"], "it said %s" % said)


WORKER = """await new Promise(yes => {
    const w = new %s;
    w.onerror = e => yes("error " + e.message);
    %s.onmessage = e => { yes(e.data); w.terminate?.(); };
    %s.postMessage(%s);
})"""


async def workers(bench):
    """Dedicated, shared and module workers, under a strict CSP."""
    async with bench.site(bench.https, True, bench.strict(), "app.example") as site, bench.browser("workers") as b:
        page = await b.page(site.url + "/pages/app.html")
        for transport in TRANSPORTS:
            asked = js({"options": bench.only(transport), "transport": transport})
            for kind, port in (("Worker('/pages/worker.js')", "w"), ("SharedWorker('/pages/worker.js', %s)" % js(transport), "w.port")):
                said = await page.eval(WORKER % (kind, port, port, asked))
                must(said == "ok by " + transport, "%s %s: %s" % (kind, transport, said))
        said = await page.eval(WORKER % ("Worker('/pages/module.js', { type: 'module' })", "w", "w", js({"options": bench.options})))
        must(said == "from a module", said)


async def third_party(bench):
    """A frame in another site's page, with third-party cookies blocked and storage partitioned."""
    async with bench.site(bench.https, True, {}, "app.example") as site, bench.site(bench.other, True, {}, "other.example") as top, \
            bench.browser("third", third_party=False) as b:
        page = await b.page(site.url + "/cookie?known=yes")
        seen = await page.eval("await fetch('/header').then(a => a.json())")
        must(seen.get("cookie") == "known=yes", "no cookie in its own page: %s" % seen)
        for transport in TRANSPORTS:
            inner = "%s/pages/app.html#run,%s" % (site.url, urllib.parse.quote(js({"options": bench.only(transport), "transport": transport})))
            page = await b.page("%s/pages/top.html#%s" % (top.url, urllib.parse.quote(inner, safe="")))
            said = await page.wait("window.said || said")
            must(said["said"] == "ok by " + transport and said["cookie"] == "", "%s: %s" % (transport, said))
            await page.close()


async def install(bench):
    """An unmodified page with install() before its scripts."""
    with open(os.path.join(HERE, "../../client/web/dist/culvert-web.umd.js"), encoding="utf-8") as f:
        library = f.read()
    async with bench.site(bench.http, False, bench.strict()) as site, bench.browser("install") as b:
        rule = {"wss://app.example/echo": {**bench.options, "service": "echo"}}
        page = await b.page(None, before=library + "\nCulvertWeb.CulvertSocket.install(%s);" % js(rule))
        await page.go(site.url + "/pages/plain.html")
        await page.wait("seen.includes('close')")
        seen = await page.eval("seen")
        must(seen == ["open", True, True, "wss://app.example/echo", "hello", "wss://app.example", 3, "wss://app.example", "close", 4000, "bye",
                      True], "it saw %s" % seen)
        must(not page.errors, page.errors)


async def example(bench):
    """The package's example page, by its form."""
    async with bench.site(bench.http, False) as site, bench.browser("example") as b:
        page = await b.page(site.url + "/web/example.html")
        fields = {**bench.options, "service": "echo"}
        await page.eval("Object.entries(%s).forEach(([name, value]) => (document.forms.connect[name].value = value)); document.forms.connect.requestSubmit()" % js(fields))
        await page.wait("document.getElementById('log').textContent.includes('open')")
        await page.eval("document.forms.say.text.value = 'hello'; document.forms.say.requestSubmit()")
        await page.wait("/(stream|poll): hello/.test(document.getElementById('log').textContent)")
        must(not page.errors, page.errors)


async def arrived(page, transport, wanted, seconds=20):
    """These messages are there in the end, no others, and nothing else was told."""
    try:
        await page.wait("sockets.x.got.length >= %d" % len(wanted), seconds)
    except Failed as e:
        state = await page.eval("JSON.stringify([sockets.x.got, sockets.x.told, sockets.x.s.transport, sockets.x.s.bufferedAmount])")
        raise Wrong("%s: %s" % (transport, state)) from e
    got, told = await page.eval("[sockets.x.got, sockets.x.told]")
    must(got == wanted and told == ["open"], "%s: %s %s" % (transport, got, told))


async def three(bench, b, site, service):
    """A page for each transport, with a socket x to a service."""
    tried = {}
    for transport in TRANSPORTS:
        tried[transport] = page = await b.page(site.url + "/pages/app.html")
        await page.eval("await open('x', %s, %s)" % (js(service), js(bench.only(transport))))
    return tried


async def sleeping(bench):
    """A page that is frozen misses nothing."""
    async with bench.site(bench.http, False) as site, bench.browser("sleep") as b:
        tried = await three(bench, b, site, "do")
        for page in tried.values():
            await page.eval("sockets.x.s.send('later 1 before'); for (let i = 0; i < 20; i++) sockets.x.s.send('later 50 m' + i);")
            await page.wait("sockets.x.got.length")
            await page.freeze()
        await asyncio.sleep(3)
        for page in tried.values():
            await page.freeze(False)
        for transport, page in tried.items():
            await arrived(page, transport, ["before"] + ["m%d" % i for i in range(20)])


async def expired(bench):
    """A page that slept until its session was over: 1006, and nothing goes on silently."""
    async with bench.site(bench.http, False) as site, bench.browser("expired") as b:
        page = await b.page(site.url + "/pages/app.html")
        await page.eval("await open('x', 'do', %s)" % js(bench.only("poll")))
        await page.eval("sockets.x.s.send('later 1 before'); sockets.x.s.send('later 300 asleep')")
        await page.wait("sockets.x.got.length")
        await page.freeze()
        await asyncio.sleep(9)
        await page.freeze(False)
        await page.wait("sockets.x.s.readyState === 3")
        got, told = await page.eval("[sockets.x.got, sockets.x.told]")
        must(got in (["before"], ["before", "asleep"]) and told == ["open", "error", "close 1006 false"], "%s %s" % (got, told))


async def offline(bench):
    """Without a network for a while: nothing is lost, repeated or out of order, in both directions."""
    async with bench.site(bench.http, False) as site, bench.browser("offline") as b:
        tried = await three(bench, b, site, "do")
        for page in tried.values():
            await page.eval("sockets.x.s.send('later 1 before'); for (let i = 0; i < 10; i++) sockets.x.s.send('later 50 there' + i);")
            await page.wait("sockets.x.got.length")
            await page.offline()
            await page.eval("for (let i = 0; i < 10; i++) sockets.x.s.send('later 1 here' + i)")
        await asyncio.sleep(1.5)
        for transport, page in tried.items():
            must(await page.eval("sockets.x.got.length") < 21, transport + " was never offline")
            await page.offline(False)
        for transport, page in tried.items():
            await arrived(page, transport, ["before"] + ["there%d" % i for i in range(10)] + ["here%d" % i for i in range(10)])


async def back(bench):
    """A page that comes back out of the back/forward cache goes on."""
    async with bench.site(bench.http, False) as site, bench.browser("back", "--enable-features=BackForwardCache") as b:
        tried = await three(bench, b, site, "do")
        for page in tried.values():
            await page.eval("var persisted = 0; addEventListener('pageshow', e => { persisted += e.persisted; }); sockets.x.s.send('later 1 before');")
            await page.wait("sockets.x.got.length")
            await page.eval("sockets.x.s.send('later 800 away')")
            await page.wait("!sockets.x.s.bufferedAmount")
            await page.go(site.url + "/pages/empty.html")
        await asyncio.sleep(1.2)
        for transport, page in tried.items():
            await page.back()
            await page.wait("typeof sockets === 'object' && persisted")
            await page.eval("sockets.x.s.send('later 1 after')")
            await arrived(page, transport, ["before", "away", "after"])


async def held(bench, service):
    """Requests that wait for messages of a service, as the server counts them."""
    program = await asyncio.create_subprocess_exec(bench.asked.culvertd, "status", "--admin", bench.asked.admin, "--json", stdout=asyncio.subprocess.PIPE)
    out, _ = await program.communicate()
    return sum(s.get("rest", {}).get("service") == service and s["rest"]["waits"] for s in json.loads(out)["sessions"])


async def holds(bench, service, wanted):
    """So many requests are held soon, and then never more."""
    seen = []
    for _ in range(200):
        seen.append(await held(bench, service))
        if wanted in seen and len(seen) - seen.index(wanted) > 20:
            break
        await asyncio.sleep(0.05)
    must(wanted in seen and max(seen[seen.index(wanted):]) == wanted, "held requests, not %d: %s" % (wanted, seen))
    return max(seen)


FETCHES = """await Promise.race([
    Promise.all([1, 2, 3, 4, 5, 6].map(i => fetch("/slow?ms=100&n=" + i, { credentials: "omit", cache: "no-store" }).then(a => a.text()))),
    new Promise(yes => setTimeout(yes, 3000, "starved")),
])"""


async def tabs(bench):
    """Six tabs on the gateway's own origin, by HTTP/1.1: no more than four held requests, and what the pages fetch passes."""
    origin = bench.asked.base.rsplit("/", 1)[0]
    async with bench.browser("tabs", "--disable-http2") as b:
        pages = []
        for i in range(6):
            page = await b.page(origin + "/pages/app.html")
            await page.eval("await open('x', 'do', %s)" % js(bench.only("stream" if i % 2 else "poll")))
            pages.append(page)
        must(await holds(bench, "do", 4) == 4, "more at first")
        began = time.monotonic()
        said = await pages[0].eval(FETCHES)
        took = time.monotonic() - began
        must(said == ["slow"] * 6 and took < 3, "six fetches: %s in %.1f s" % (said, took))
        for page in pages:
            await page.eval("sockets.x.s.send('later 300 news')")
        for page in pages:
            await page.wait("sockets.x.got.length === 1", 6)
        # Those that waited follow those that go.
        for page in pages[:2]:
            await page.close()
        await holds(bench, "do", 4)


async def starving(bench):
    """The same without locks: the pages' own requests do not pass. So the test above can fail."""
    origin = bench.asked.base.rsplit("/", 1)[0]
    async with bench.browser("starving", "--disable-http2") as b:
        pages = [await b.page(origin + "/pages/app.html") for _ in range(6)]
        for page in pages:
            await page.eval("await open('x', 'do', {...%s, environment: { locks: undefined }})" % js(bench.only("stream")))
        await holds(bench, "do", 6)
        said = await pages[0].eval(FETCHES)
        must(said == "starved", "six held requests hinder nothing: %s" % said)


async def restart(bench):
    """The server starts anew: 1006 and never a word more; a new socket works."""
    async with bench.site(bench.http, False) as site, bench.browser("restart") as b:
        pages = []
        for transport in TRANSPORTS:
            page = await b.page(site.url + "/pages/app.html")
            await exchange(page, "x", bench.only(transport), transport)
            pages.append(page)
        with open(os.path.join(bench.asked.dir, "opened"), "w", encoding="utf-8"):
            pass
        for page, transport in zip(pages, TRANSPORTS):
            await page.wait("sockets.x.s.readyState === 3")
            told = await page.eval("sockets.x.told")
            must(told == ["open", "error", "close 1006 false"], "%s: told %s" % (transport, told))
            must(await page.eval("sockets.x.got.length") == 13, "something came after the end")
            await exchange(page, "again", bench.only(transport), transport)


ALL = {f.__name__: f for f in (pages, csp_forbids, workers, third_party, install, example, sleeping, expired, offline, back, tabs, starving, restart)}


async def main():
    parser = argparse.ArgumentParser()
    for name in ("dir", "base", "token", "cert", "key", "ports", "culvertd", "admin"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("names", nargs="*", default=[])
    asked = parser.parse_args()
    failed = 0
    for name in asked.names or ALL:
        began = time.monotonic()
        try:
            await ALL[name](Bench(asked))
            print("ok %s  %.1f s" % (name, time.monotonic() - began), flush=True)
        except (Wrong, Failed, asyncio.TimeoutError) as e:
            failed += 1
            print("FAIL %s: %s %s" % (name, type(e).__name__, e), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
