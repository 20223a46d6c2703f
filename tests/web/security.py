#!/usr/bin/python3
"""What Chromium lets pages do with a REST server, and what the server lets them: a page that may, one that may not, a sandboxed frame, the server's own
website; native EventSource with tickets; the library with JWTs that end every few seconds.

    security.py --profile DIR --server URL --port N --other N --jwt COMMAND --trust FILE --library DIR

The page that may is http://localhost:PORT, the one that may not http://localhost:OTHER. COMMAND SECONDS prints a JWT. The server has the service sig, an echo,
and is in front of the website, whose origin may, too."""
import argparse
import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Chromium  # noqa: E402
from website import Site  # noqa: E402

TOOLS = """
globalThis.ask = async (method, url, jwt, more = {}) => {
	const headers = jwt ? { Authorization: "Bearer " + jwt } : {};
	if (more.body !== undefined && !more.mode) headers["Content-Type"] = "application/json";
	try {
		const answer = await fetch(url, { method, headers, ...more });
		const text = await answer.text();
		return { status: answer.status, after: answer.headers.get("Retry-After"), ...(text ? JSON.parse(text) : {}) };
	} catch (error) {
		return { error: error.name };
	}
};
globalThis.listen = (url) => new Promise((done) => {
	const source = new EventSource(url), got = [];
	source.addEventListener("text", (event) => { got.push(event.lastEventId + ":" + event.data); source.close(); done(got); });
	source.onerror = () => { if (source.readyState === 2) done("closed"); };
	globalThis.source = source;
});
"""
failures = []


def must(what, got, expected):
    if got != expected:
        failures.append("%s: %r, not %r" % (what, got, expected))
        print(failures[-1], file=sys.stderr)


def sid():
    return base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode()


class Suite:
    def __init__(self, args):
        self.base = args.server + "/culvert/v1/"
        self.jwt_command = args.jwt

    def jwt(self, seconds=60):
        return subprocess.run(self.jwt_command.split() + [str(seconds)], check=True, capture_output=True, text=True).stdout.strip()

    def url(self):
        return self.base + sid() + "/signal/sig"

    async def ask(self, page, method, url, jwt=None, **more):
        return await page.eval("await ask(%s)" % ", ".join(json.dumps(v) for v in (method, url, jwt, more)))

    async def status(self, *args, **more):
        answer = await self.ask(*args, **more)
        return answer.get("status", answer.get("error"))

    async def allowed(self, page):
        url, jwt = self.url(), self.jwt()
        must("PUT", await self.status(page, "PUT", url, jwt), 201)
        answer = await self.ask(page, "POST", url, jwt, body='{"seq":1,"wait":5,"messages":["a"]}')
        must("an echo", (answer.get("status"), answer.get("messages")), (200, ["a"]))
        wrong = await self.ask(page, "GET", url, jwt[:-3] + "AAA")
        must("why is told to the page", (wrong.get("status"), wrong.get("code"), "signature" in wrong.get("detail", "")), (401, "credential", True))
        must("cookies and nothing else", (await self.status(page, "GET", url, None, credentials="include")), "TypeError")
        must("a form's type", await self.status(page, "POST", url, jwt, body="{}", headers={"Authorization": "Bearer " + jwt, "Content-Type": "text/plain"}), 415)
        return url, jwt

    async def tickets(self, page, other, url, jwt):
        ticket = (await self.ask(page, "POST", url + "/ticket", jwt))["ticket"]
        await page.eval("globalThis.heard = listen(%s); 0" % json.dumps(url + "?after=1&ticket=" + ticket))
        await page.wait("source.readyState === 1")
        # Meanwhile another page has got hold of all of it.
        must("a stolen ticket", await other.eval("await listen(%s)" % json.dumps(url + "?ticket=" + ticket)), "closed")
        must("a stolen ticket, by an image", await other.eval("await new Promise((done) => { const i = new Image(); i.onload = () => done('loaded'); "
                                                               "i.onerror = () => done('error'); i.src = %s; })" % json.dumps(url + "?ticket=" + ticket)), "error")
        must("it goes on", await page.eval("source.readyState"), 1)
        must("POST", await self.status(page, "POST", url, jwt, body='{"seq":2,"messages":["by events"]}'), 200)
        must("EventSource", await page.eval("await heard"), ["2:by events"])
        must("not for POST", await self.status(page, "POST", url + "?ticket=" + ticket, body="{}"), 401)

    async def others(self, page, other, url, jwt):
        fresh = self.url()
        for method in ("PUT", "GET", "DELETE"):
            must("another page's " + method, await self.status(other, method, url, jwt), "TypeError")
        must("another page's POST", await self.status(other, "POST", url, jwt, body="{}"), "TypeError")
        # What browsers send without asking first: nobody reads the answer, and nothing comes of it.
        for body in ('{"seq":3,"messages":["forged"]}', '{}'):
            must("a simple POST", await self.status(other, "POST", url, None, mode="no-cors", body=body, credentials="include"), 0)
            must("a simple POST for a new one", await self.status(other, "POST", fresh, None, mode="no-cors", body=body), 0)
        must("nothing was made", await self.status(page, "GET", fresh, jwt), 404)
        must("nothing was sent", (await self.ask(page, "POST", url, jwt, body='{"after":2}')).get("taken"), 2)
        frame = """await new Promise((done) => {
            addEventListener("message", (event) => done([event.origin, event.data]));
            const frame = document.createElement("iframe");
            frame.setAttribute("sandbox", "allow-scripts");
            frame.srcdoc = `<script>fetch(%s, { method: "PUT", headers: { Authorization: "Bearer %s" } }).then((a) => a.status, (e) => e.name)
                .then((said) => parent.postMessage(said, "*"))</` + `script>`;
            document.body.append(frame);
        })""" % (json.dumps(fresh), jwt)
        must("a sandboxed frame of a page that may", await page.eval(frame), ["null", "TypeError"])

    async def rate(self, page):
        for _ in range(40):
            last = await self.ask(page, "GET", self.url(), "wrong.wrong.wrong")
        must("how long to wait is told to the page", (last.get("status"), last.get("code"), last.get("after")), (429, "rate", "2"))

    async def own(self, page):
        """The page of the website that the server itself is in front of: EventSource says no Origin there."""
        url, jwt = self.url(), self.jwt()
        must("PUT of its own page", await self.status(page, "PUT", url, jwt), 201)
        ticket = (await self.ask(page, "POST", url + "/ticket", jwt))["ticket"]
        await page.eval("globalThis.heard = listen(%s); 0" % json.dumps(url + "?ticket=" + ticket))
        await page.wait("source.readyState === 1")
        must("POST of its own page", await self.status(page, "POST", url, jwt, body='{"seq":1,"messages":["own"]}'), 200)
        must("EventSource of its own page", await page.eval("await heard"), ["1:own"])

    async def library(self, page, transport):
        """JWTs that are good for 3 s: 40 messages in 8 s, each comes back once."""
        await page.eval("""
            globalThis.tokens = 0; globalThis.got = []; globalThis.ended = null;
            globalThis.socket = new CulvertWeb.CulvertSocket("wss://app.example/", [], { base: %s, service: "sig", native: false, transports: [%s],
                token: () => { tokens++; return fetch("/jwt").then((a) => a.text()); } });
            socket.onmessage = (event) => got.push(event.data);
            socket.onclose = (event) => { ended = event.code + event.reason; };
            0""" % (json.dumps(self.base[:-4]), json.dumps(transport)))
        await page.wait("socket.readyState === 1 || ended")
        for i in range(40):
            await page.eval("socket.send('%d'); 0" % i)
            await asyncio.sleep(0.2)
        await page.wait("got.length >= 40 || ended")
        must(transport + ": each message once", await page.eval("[got, ended]"), [[str(i) for i in range(40)], None])
        tokens = await page.eval("tokens")
        must("%s: another JWT when one has ended (%d were had)" % (transport, tokens), 3 <= tokens <= 60, True)
        await page.eval("socket.onclose = null; socket.close(); 0")


class Own(Site):
    """Hands out JWTs, as a page's own server does."""

    def __init__(self, suite, *args, **more):
        super().__init__(*args, **more)
        self.suite = suite

    def find(self, path):
        if path.startswith("/jwt"):
            file = tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False, dir=self.roots[0][1])
            with file:
                file.write(self.suite.jwt(3))
            return file.name
        return super().find(path)


async def main():
    parser = argparse.ArgumentParser()
    for name in ("profile", "server", "jwt", "trust", "library"):
        parser.add_argument("--" + name, required=True)
    for name in ("port", "other"):
        parser.add_argument("--" + name, type=int, required=True)
    args = parser.parse_args()
    suite = Suite(args)
    with tempfile.TemporaryDirectory() as root:
        with open(os.path.join(root, "index.html"), "w") as f:
            f.write('<!doctype html><meta charset="utf-8"><title>t</title><body><script src="/lib/culvert-web.umd.js"></script>')
        roots = [("", root), ("lib", args.library)]
        async with Own(suite, roots, port=args.port) as site, Site([("", root)], port=args.other) as evil, \
                Chromium(args.profile, trust=[args.trust]) as b:
            page, other, own = [await b.page(url, before=TOOLS) for url in (site.url + "/", evil.url + "/", args.server + "/")]
            url, jwt = await suite.allowed(page)
            await suite.tickets(page, other, url, jwt)
            await suite.others(page, other, url, jwt)
            await suite.own(own)
            await suite.rate(page)  # what follows is right, if not in time
            transports = ("sse", "stream", "poll")
            pages = [await b.page(site.url + "/") for _ in transports]
            await asyncio.gather(*(suite.library(p, transport) for p, transport in zip(pages, transports)))
    print(json.dumps({"failures": len(failures)}))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
