#!/usr/bin/python3
"""website: a web server for pages of tests. (Not "site": that is a module of Python's.)

    website.py [--root [PREFIX=]DIR]... [--cert FILE --key FILE] [--header "Name: value"]... [--csp POLICY] [--log]

Prints "ready tcp ADDR:PORT website" (tls with --cert). --root a/=DIR: the files of DIR are at /a/; the first that has a file wins; "/" is index.html.
--header and --csp stand in each answer. --csp may contain {port}: the site's own. Beside files there are
    /slow?ms=N          an answer after N milliseconds ("slow")
    /cookie?name=value  sets a cookie: SameSite=None; Secure
    /header?...         what came: the request's head as JSON
With --log each request is a line: its method, its path, and "cookie" when there was one.
As a module: async with Site([(prefix, dir)...], cert=..., key=..., headers={...}) as site: site.url, site.port, site.seen
"""
import argparse
import asyncio
import json
import mimetypes
import os
import ssl
import sys
import urllib.parse

mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("text/javascript", ".mjs")


class Site:
    def __init__(self, roots, cert=None, key=None, headers=None, log=False, host="127.0.0.1", port=0, name="localhost"):
        self.roots = [(p.strip("/"), d) for p, d in roots]
        self.headers = dict(headers or {})
        self.log, self.host, self.port, self.name = log, host, port, name
        self.seen = []
        self.tls = None
        if cert:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(cert, key)
        self.tasks = set()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._client, self.host, self.port, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = "%s://%s:%d" % ("https" if self.tls else "http", self.name, self.port)
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def find(self, path):
        path = urllib.parse.unquote(path).lstrip("/")
        if path.endswith("/") or not path:
            path += "index.html"
        for prefix, directory in self.roots:
            if prefix and not path.startswith(prefix + "/"):
                continue
            top = os.path.realpath(directory)
            file = os.path.realpath(os.path.join(top, path[len(prefix):].lstrip("/")))
            if file.startswith(top + os.sep) and os.path.isfile(file):
                return file
        return None

    async def _client(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            while await self._request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            self.tasks.discard(task)
            writer.close()

    async def _request(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target = head[0].split(" ")[:2]
        fields = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:] if line)}
        await reader.readexactly(int(fields.get("content-length", 0)))
        where = urllib.parse.urlsplit(target)
        self.seen.append((method, target, fields))
        if self.log:
            print(method, target, "cookie" if "cookie" in fields else "", flush=True)
        status, kind, body, more = await self.answer(where.path, where.query, fields)
        lines = ["HTTP/1.1 " + status, "Content-Type: " + kind, "Content-Length: %d" % len(body), "Cache-Control: no-cache"]
        lines += ["%s: %s" % (n, v.replace("{port}", str(self.port))) for n, v in {**self.headers, **more}.items()]
        writer.write("\r\n".join(lines + ["", ""]).encode("latin-1") + (b"" if method == "HEAD" else body))
        await writer.drain()
        return fields.get("connection", "").lower() != "close"

    async def answer(self, path, query, fields):
        asked = dict(urllib.parse.parse_qsl(query))
        if path == "/slow":
            await asyncio.sleep(int(asked.get("ms", 100)) / 1000)
            return "200 OK", "text/plain", b"slow", {"Access-Control-Allow-Origin": "*"}
        if path == "/cookie":
            return "200 OK", "text/html", b"<title>cookie</title>", {"Set-Cookie": "%s; Path=/; SameSite=None; Secure" % query}
        if path == "/header":
            return "200 OK", "application/json", json.dumps(fields).encode(), {}
        file = self.find(path)
        if not file:
            return "404 Not Found", "text/plain", b"no such file\n", {}
        with open(file, "rb") as f:
            body = f.read()
        kind = mimetypes.guess_type(file)[0] or "application/octet-stream"
        return "200 OK", kind + ("; charset=utf-8" if kind.startswith("text/") else ""), body, {}


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", action="append", default=[])
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--csp")
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--listen", default="127.0.0.1:0")
    asked = parser.parse_args()
    headers = dict(h.split(": ", 1) for h in asked.header)
    if asked.csp:
        headers["Content-Security-Policy"] = asked.csp
    roots = [r.split("=", 1) if "=" in r else ("", r) for r in asked.root]
    host, port = asked.listen.rsplit(":", 1)
    async with Site(roots, asked.cert, asked.key, headers, asked.log, host, int(port)) as site:
        print("ready %s %s:%d website" % ("tls" if asked.cert else "tcp", host, site.port), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
