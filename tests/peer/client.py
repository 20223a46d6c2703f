"""Hand-made requests and sessions, and the checks of their answers: what the probes have in common."""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import ssl
import time
from urllib.parse import urlsplit

import auth
import http1
import wire
from bodies import BodyParser

PATIENCE = 10.0


class Collector:
    """The sink of a parser: capsules (kind, value) of all records, and the records' numbers."""

    def __init__(self):
        self.numbers: list[int] = []
        self.capsules: list[tuple[int, bytes]] = []

    def begin_record(self, number: int, clock: int) -> None:
        self.numbers.append(number)

    def take_capsule(self, kind: int, value: bytes) -> None:
        self.capsules.append((kind, value))

    def end_record(self) -> None:
        pass

    def all(self, kind: int) -> list[bytes]:
        return [value for k, value in self.capsules if k == kind]

    def one(self, kind: int) -> bytes:
        found = self.all(kind)
        check(len(found) == 1, f"{len(found)} capsules of type {kind:#x}, there are {[k for k, _ in self.capsules]}")
        return found[0]


class Answer:
    def __init__(self, head: http1.Head, body: bytes):
        self.head = head
        self.status = head.first[1]
        self.body = body

    def parse(self) -> Collector:
        """The answer as section 2.3 wants it."""
        headers = self.head.headers
        check(self.status == "200", f"status {self.status}")
        check(headers.get("content-type") == "application/octet-stream", "Content-Type")
        check("no-store" in headers.get("cache-control", "") and "no-transform" in headers["cache-control"],
              "Cache-Control")
        check(headers.get("x-accel-buffering") == "no" and "date" in headers, "X-Accel-Buffering, Date")
        collector = Collector()
        BodyParser(collector, True).feed(self.body)
        return collector

    def cover(self) -> tuple:
        kept = {k: v for k, v in self.head.headers.items() if k not in ("date", "connection", "keep-alive")}
        return self.status, self.body, kept


class Failed(Exception):
    pass


def check(condition: bool, what: str) -> None:
    if not condition:
        raise Failed(what)


class Client:
    def __init__(self, arguments: argparse.Namespace):
        url = urlsplit(arguments.server)
        self.host, self.port, self.base = url.hostname, url.port, url.path.rstrip("/")
        self.tls = ssl.create_default_context(cafile=arguments.cafile)
        tokens = auth.read_token_file(arguments.token_file)
        self.identities = [(name, tokens[name][0]) for name in tokens]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port, ssl=self.tls, limit=http1.STREAM_LIMIT)

    def head(self, sid: str, query: str, *, length: int | None = 0, who: int = 0, skew: int = 0, version: str = "1.1",
             absolute: bool = False, signed: bool = True, method: str = "POST", token: bytes | None = None) -> bytes:
        path = f"{self.base}/v1/{sid}"
        name, own = self.identities[who]
        headers = {"Host": f"{self.host}:{self.port}", "Content-Type": "application/octet-stream"}
        if signed:
            headers["Authorization"] = auth.authorization(name, token or own, method, path, query,
                                                          int(time.time()) + skew)
        headers |= {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        target = f"{path}?{query}"
        if absolute:
            target = f"https://{self.host}:{self.port}{target}"
        return http1.format_head(f"{method} {target} HTTP/{version}", headers)

    async def send(self, sid: str, query: str, body: bytes = b"", **how) -> Answer:
        """One exchange on a connection of its own."""
        return await self.raw(self.head(sid, query, length=len(body), **how) + body)

    async def raw(self, octets: bytes) -> Answer:
        reader, writer = await self.connect()
        try:
            writer.write(octets)
            return await asyncio.wait_for(read_answer(reader), PATIENCE)
        finally:
            writer.transport.abort()


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    head = await http1.read_head(reader)
    if head is None:
        raise ConnectionResetError("no answer")
    body, whole = http1.BodyReader(reader, head, True), b""
    while piece := await body.read():
        whole += piece
    return Answer(head, whole)


async def read_streamed(reader: asyncio.StreamReader) -> http1.BodyReader:
    head = await asyncio.wait_for(http1.read_head(reader), PATIENCE)
    check(head.first[1] == "200" and head.headers.get("incremental") == "?1", "head of a streamed answer")
    return http1.BodyReader(reader, head, True)


async def collect(body: http1.BodyReader, collector: Collector) -> None:
    parser = BodyParser(collector, True)
    while data := await body.read():
        parser.feed(data)


def new_sid() -> str:
    return base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode()


class Link:
    """A session made by hand; every exchange has a connection of its own."""

    def __init__(self, client: Client):
        self.client = client
        self.sid = new_sid()
        self.x = 0
        self.number = 0
        self.epoch = ""
        self.welcome: wire.Welcome | None = None

    async def hello(self, hello: wire.Hello | None = None, **how) -> Collector:
        greeting = (hello or wire.Hello(1, 1, 0, {wire.P_KEEPALIVE: 500})).encode()
        answer = await self.client.send(self.sid, self.query("hello"), self.record(greeting), **how)
        return answer.parse()

    async def begin(self) -> Link:
        self.welcome = wire.Welcome.decode((await self.hello()).one(wire.WELCOME))
        self.epoch = f"{self.welcome.epoch:016x}"
        return self

    def query(self, mode: str, extra: str = "", c: int = 0) -> str:
        self.x += 1
        return f"c={c}&x={self.x}&m={mode}{extra}" + (f"&e={self.epoch}" if self.epoch else "")

    def record(self, capsules: bytes, number: int | None = None) -> bytes:
        if number is None:
            number, self.number = self.number, self.number + 1
        return wire.record(number, int(time.monotonic() * 1000), capsules)

    async def poll(self, capsules: bytes | None = None, hold: int = 0, c: int = 0, **how) -> Collector:
        body = b"" if capsules is None else self.record(capsules)
        return (await self.client.send(self.sid, self.query("poll", f"&hold={hold}", c), body, **how)).parse()

    async def poll_until(self, kind: int, capsules: bytes | None = None) -> bytes:
        """The first capsule of a type, from as many polls as it takes."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = (await self.poll(capsules, 1_000)).all(kind)
            if found:
                return found[0]
            capsules = None
        raise Failed(f"no capsule of type {kind:#x}")

    async def gather(self, capsules: bytes, seconds: float) -> Collector:
        """Everything that comes within some time."""
        everything, end = await self.poll(capsules), time.monotonic() + seconds
        while time.monotonic() < end:
            everything.capsules += (await self.poll(None, 200)).capsules
        return everything


def covers(collector: Collector, number: int) -> bool:
    return any(first <= number <= last for value in collector.all(wire.RECEIPT)
               for first, last in wire.Receipt.decode(value).ranges)


def code_of(collector: Collector, kind: int) -> int:
    return wire.Farewell.decode(collector.one(kind)).code


def opening(channel: int, kind: int, target: str, parameters: dict | None = None) -> bytes:
    return wire.Open(channel, kind, target, parameters or {}).encode()
