#!/usr/bin/python3
"""Hand-made exchanges against any server: what PROTOCOL.md says about single requests, one probe for each statement.

    probe.py --server https://127.0.0.1:PORT/culvert --cafile F --token-file F [NAME...]

The token file names two identities; the server has the services rtp (UDP echo), sig (TCP echo) and half (TCP, answers
after the end).  Prints `ok NAME` or `not ok NAME reason` for each probe.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import ssl
import sys
import time
import traceback
from urllib.parse import urlsplit

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import auth       # noqa: E402
import http1      # noqa: E402
import wire       # noqa: E402

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
        wire.BodyParser(collector, True).feed(self.body)
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


# ---------------------------------------------------------------- probes: requests (section 2)

async def probe_cover_is_the_same_for_every_cause(client: Client) -> None:
    sid, good = new_sid(), "c=0&x=0&m=hello"
    session = await Link(client).begin()
    first = (await client.send(sid, good, signed=False)).cover()
    check(first[0] == "404", f"status {first[0]}")
    others = {
        "token": await client.send(sid, good, token=b"?" * 32),
        "past": await client.send(sid, good, skew=-300), "future": await client.send(sid, good, skew=300),
        "method": await client.send(sid, good, method="PUT"), "GET": await client.send(sid, good, method="GET"),
        "sid": await client.send(sid[:-1], good), "double": await client.send(sid, good + "&c=0"),
        "range": await client.send(sid, "c=65536&x=0&m=hello"), "mode": await client.send(sid, "c=0&x=0&m=other"),
        "no e": await client.send(session.sid, "c=0&x=9&m=poll"), "bad e": await client.send(sid, "c=0&x=0&m=poll&e=X"),
        "hold": await client.send(session.sid, session.query("poll", "&hold=60001")),
        "k": await client.send(session.sid, session.query("poll", "&k=17")),
        "path": await client.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    }
    for cause, answer in others.items():
        check(answer.cover() == first, f"another cover for {cause}: {answer.cover()}")


async def probe_unknown_parameters_are_ignored(client: Client) -> None:
    session = Link(client)
    answer = await client.send(session.sid, "zz=1&m=hello&x=3&c=9", session.record(wire.Hello(1, 1, 0).encode()))
    answer.parse().one(wire.WELCOME)


async def probe_absolute_form_counts_from_its_path(client: Client) -> None:
    session = Link(client)
    (await session.hello(absolute=True)).one(wire.WELCOME)


async def probe_http_1_0(client: Client) -> None:
    session = await Link(client).begin()
    reader, writer = await client.connect()
    writer.write(client.head(session.sid, session.query("down"), version="1.0"))
    head = await asyncio.wait_for(http1.read_head(reader), PATIENCE)
    check("transfer-encoding" not in head.headers and "content-length" not in head.headers, "framing for HTTP/1.0")
    check(await asyncio.wait_for(reader.read(1), PATIENCE) in (b"\x01", b"\x02"), "body")
    writer.transport.abort()


async def probe_long_varints(client: Client) -> None:
    session = Link(client)
    wire.use_long_varints(True)
    try:
        check((await session.begin()).welcome.version == 1, "version")
    finally:
        wire.use_long_varints(False)


# ---------------------------------------------------------------- probes: the session (section 5)

async def probe_hello_repeated_is_answered_alike(client: Client) -> None:
    session = await Link(client).begin()
    again = wire.Welcome.decode((await session.hello()).one(wire.WELCOME))
    check(again == session.welcome, "WELCOME differs")


async def probe_no_version_in_common(client: Client) -> None:
    farewell = wire.Farewell.decode((await Link(client).hello(wire.Hello(2, 9, 0))).one(wire.BYE))
    check((farewell.code, farewell.version_min, farewell.version_max) == (wire.VERSION, 1, 1), f"{farewell}")


async def probe_higher_version_and_features_are_negotiated_down(client: Client) -> None:
    welcome = wire.Welcome.decode((await Link(client).hello(wire.Hello(1, 9, 0x3F))).one(wire.WELCOME))
    check((welcome.version, welcome.features) == (1, 0), f"{welcome}")


async def probe_unknown_session(client: Client) -> None:
    session = await Link(client).begin()
    for mode in ("poll", "down"):
        answer = (await client.send(new_sid(), session.query(mode))).parse()
        check(code_of(answer, wire.GONE) == wire.UNKNOWN_SESSION, "code")


async def probe_another_identity_does_not_see_the_session(client: Client) -> None:
    session = await Link(client).begin()
    check(code_of(await session.poll(who=1), wire.GONE) == wire.UNKNOWN_SESSION, "code")
    await session.poll()


async def probe_epoch(client: Client) -> None:
    session = await Link(client).begin()
    for mode in ("poll", "down", "up", "duplex"):
        session.epoch = f"{session.welcome.epoch ^ 1:016x}"
        body = session.record(opening(2, wire.KIND_STREAM, "sig")) if mode != "down" else b""
        answer = (await client.send(session.sid, session.query(mode), body)).parse()
        check(code_of(answer, wire.GONE) == wire.EPOCH, f"code for {mode}")
    session.epoch = f"{session.welcome.epoch:016x}"
    check(not (await session.gather(wire.capsule(wire.PING, b"\x01"), 0.5)).all(wire.OPENED), "OPEN was applied")


async def probe_tombstone(client: Client) -> None:
    session = await Link(client).begin()
    check((await session.poll(wire.Farewell(wire.SHUTDOWN).encode(wire.BYE))) is not None, "answer")
    for _ in range(2):
        check(code_of(await session.poll(), wire.GONE) == wire.ENDED, "code for poll")
    check(code_of(await session.hello(), wire.GONE) == wire.ENDED, "code for hello")


async def probe_bye_releases_held_answers(client: Client) -> None:
    session = await Link(client).begin()
    held = asyncio.create_task(session.poll(None, 9_000))
    await asyncio.sleep(0.3)
    begun = time.monotonic()
    await session.poll(wire.Farewell(wire.SHUTDOWN).encode(wire.BYE))
    await held
    check(time.monotonic() - begun < 2.0, "still held")


# ---------------------------------------------------------------- probes: modes (section 3)

async def probe_poll_with_hold_0_is_answered_at_once_with_a_record(client: Client) -> None:
    session, begun = await Link(client).begin(), time.monotonic()
    check(len((await session.poll()).numbers) >= 1, "no record")
    check(time.monotonic() - begun < 1.0, "held")


async def probe_poll_is_held_until_hold_is_over(client: Client) -> None:
    session = await Link(client).begin()
    await session.poll()
    begun = time.monotonic()
    check(len((await session.poll(None, 700)).numbers) >= 1, "no record")
    check(0.5 < time.monotonic() - begun < 2.0, f"held {time.monotonic() - begun:.2f} s")


async def probe_owed_receipt_releases_a_held_poll(client: Client) -> None:
    session = await Link(client).begin()
    await session.poll()
    begun, number = time.monotonic(), session.number
    ack = wire.Window(1 << 21, 64).encode()
    check(covers(await session.poll(ack, 5_000), number), "no receipt")
    check(time.monotonic() - begun < 1.5, "held too long")


async def probe_more_than_k_releases_the_oldest(client: Client) -> None:
    session = await Link(client).begin()
    await session.poll()
    polls = []
    for _ in range(3):
        polls.append(asyncio.create_task(session.poll(None, 3_000)))
        await asyncio.sleep(0.3)
    check([p.done() for p in polls] == [True, True, False], f"{[p.done() for p in polls]}")
    await asyncio.gather(*polls)


async def read_streamed(reader: asyncio.StreamReader) -> http1.BodyReader:
    head = await asyncio.wait_for(http1.read_head(reader), PATIENCE)
    check(head.first[1] == "200" and head.headers.get("incremental") == "?1", "head of a streamed answer")
    return http1.BodyReader(reader, head, True)


async def probe_down_begins_at_once_and_is_kept_alive(client: Client) -> None:
    session = await Link(client).begin()
    reader, writer = await client.connect()
    begun = time.monotonic()
    writer.write(client.head(session.sid, session.query("down")))
    body, collector = await read_streamed(reader), Collector()
    parser, pieces = wire.BodyParser(collector, True), 0
    while time.monotonic() - begun < 2.2:
        try:
            data = await asyncio.wait_for(body.read(), 0.75)   # 1.5 keepalives of 500 ms
        except asyncio.TimeoutError:
            raise Failed("no PAD within 1.5 keepalives") from None
        check(data != b"", "answer ended")
        parser.feed(data)
        pieces += 1
    check(pieces >= 4, f"{pieces} pieces")
    writer.transport.abort()


async def probe_newer_down_replaces_the_older(client: Client) -> None:
    session = await Link(client).begin()
    reader, writer = await client.connect()
    writer.write(client.head(session.sid, session.query("down")))
    older = await read_streamed(reader)
    reader_2, writer_2 = await client.connect()
    writer_2.write(client.head(session.sid, session.query("down")))
    await read_streamed(reader_2)
    end = time.monotonic() + 2.0
    while await asyncio.wait_for(older.read(), 2.0):   # raises if it does not end in order
        check(time.monotonic() < end, "the older answer goes on")
    writer.transport.abort()
    writer_2.transport.abort()


async def probe_up_is_answered_with_a_receipt_after_its_end(client: Client) -> None:
    session = await Link(client).begin()
    reader, writer = await client.connect()
    writer.write(client.head(session.sid, session.query("up"), length=None))
    number = session.number
    for octet in session.record(wire.capsule(wire.PING, b"\x07")):
        writer.write(b"1\r\n%c\r\n" % octet)
        await writer.drain()
    early = asyncio.create_task(read_answer(reader))
    await asyncio.sleep(0.5)
    check(not early.done(), "answered before the end of the body")
    writer.write(b"0\r\n\r\n")
    check(covers((await asyncio.wait_for(early, PATIENCE)).parse(), number), "no receipt")
    writer.transport.abort()


async def probe_duplex_answers_while_the_body_is_open(client: Client) -> None:
    session = await Link(client).begin()
    reader, writer = await client.connect()
    writer.write(client.head(session.sid, session.query("duplex"), length=None))
    body, collector = await read_streamed(reader), Collector()
    parser = wire.BodyParser(collector, True)
    record = session.record(wire.capsule(wire.PING, b"\x21") + wire.Mark(5, 1, 9, wire.fnv1a(b"abc"), b"abc").encode()
                            + wire.Mark(5, 2, 9, 1, b"abc").encode())
    writer.write(b"%x\r\n%s\r\n" % (len(record), record))
    while len(collector.all(wire.SEEN)) < 2 or not collector.all(wire.PONG):
        data = await asyncio.wait_for(body.read(), 2.0)
        check(data != b"", "answer ended")
        parser.feed(data)
    check(collector.one(wire.PONG) == b"\x21", "PONG")
    seen = [wire.Seen.decode(value) for value in collector.all(wire.SEEN)]
    check([(s.ident, s.n, s.intact) for s in seen] == [(5, 1, 1), (5, 2, 0)], f"{seen}")
    writer.transport.abort()


async def probe_carrier_that_is_not_trusted_yet(client: Client) -> None:
    """Only MARK, SEEN, PING, PONG and RECEIPT come on it until its SEEN was receipted (4.5)."""
    session = await Link(client).begin()
    reader, writer = await client.connect()
    writer.write(client.head(session.sid, session.query("duplex", c=1), length=None))
    streamed = Collector()
    reading = asyncio.create_task(collect(await read_streamed(reader), streamed))
    await session.poll(opening(2, wire.KIND_DATAGRAM, "rtp") + wire.Datagram.encode(2, 0, 0, 0, b"one"))
    await asyncio.sleep(0.5)
    kinds = {kind for kind, _ in streamed.capsules}
    check(kinds <= {wire.RECEIPT, wire.PING, wire.MARK}, f"capsules {kinds} came on it")
    await session.poll_until(wire.OPENED)
    mark, receipt = wire.Mark(1, 0, 0, wire.fnv1a(b""), b""), wire.Receipt(1, 0, [(0, 0)])
    for n, capsules in enumerate((mark.encode(), receipt.encode())):
        record = session.record(capsules, n)
        writer.write(b"%x\r\n%s\r\n" % (len(record), record))
        await asyncio.sleep(0.3)
    streamed.one(wire.SEEN)
    await session.poll(wire.Datagram.encode(2, 1, 0, 0, b"two"))
    await asyncio.sleep(0.3)
    check(bool(streamed.all(wire.DATAGRAM)), "nothing came on it although its SEEN was receipted")
    reading.cancel()
    writer.transport.abort()


# ---------------------------------------------------------------- probes: bodies and records (section 4)

async def probe_replayed_body(client: Client) -> None:
    """PING is ignored in a record that was seen, and the record is receipted again."""
    session = await Link(client).begin()
    query, number = session.query("poll"), session.number
    body = session.record(wire.capsule(wire.PING, b"\x2a"))
    first = (await client.send(session.sid, query, body)).parse()
    pongs = first.all(wire.PONG)
    for _ in range(2):
        again = (await client.send(session.sid, query, body)).parse()
        check(covers(again, number), "not receipted again")
        pongs += again.all(wire.PONG)
    pongs += (await session.gather(wire.Window(0, 0).encode(), 0.4)).all(wire.PONG)
    check(pongs == [b"\x2a"], f"{len(pongs)} PONGs")


async def probe_unaccountable_record_owes_no_receipt(client: Client) -> None:
    session = await Link(client).begin()
    await session.poll()
    begun = time.monotonic()
    await session.poll(wire.capsule(wire.PONG, b"\x01"), 800)
    check(time.monotonic() - begun > 0.6, "a held poll was released")


async def probe_unknown_capsules_are_skipped(client: Client) -> None:
    session = await Link(client).begin()
    body = wire.capsule(0x29, b"top") + wire.pad(3)
    body += session.record(wire.capsule(0x1F29, b"inner") + wire.capsule(wire.PING, b"\x05")) + wire.capsule(0x40, b"")
    answer = (await client.send(session.sid, session.query("poll", "&hold=500"), body)).parse()
    check(answer.one(wire.PONG) == b"\x05", "PONG")


async def fails(client: Client, session: Link, body: bytes, cause: str = "") -> None:
    try:
        answer = await client.send(session.sid, session.query("poll"), body)
    except (OSError, http1.HttpError):
        return
    raise Failed(f"{cause}: answered with {answer.status} {answer.body.hex()}")


async def probe_malformed_capsules_end_the_exchange_by_closing(client: Client) -> None:
    session = await Link(client).begin()
    too_long = wire.varint(wire.RECORD) + wire.varint(81_921) + bytes(81_921)
    doubled = wire.capsule(wire.OPEN, b"\x02\x00\x00\x03rtp\x10\x01\x00\x10\x01\x00")
    for cause, bad in {
        "fields missing": session.record(wire.capsule(wire.WINDOW, b"\x02")),
        "crosses its record": session.record(b"\x15\x05\x02\x02"), "too long": too_long,
        "receipt of the future": session.record(wire.Receipt(0, 0, [(500, 500)]).encode()),
        "receipt below 0": session.record(wire.capsule(wire.RECEIPT, b"\0\0\x01\0\x01")),
        "record without its head": wire.capsule(wire.RECORD, b"\0"),
        "RECORD in RECORD": session.record(wire.record(0, 0, b"")),
        "repeated parameter": session.record(doubled),
        "missing fields of a channel unknown": session.record(wire.capsule(wire.ACK, b"\x04")),
    }.items():
        await fails(client, session, bad, cause)
    check(len((await session.poll()).numbers) >= 1, "session is damaged")


async def collect(body: http1.BodyReader, collector: Collector) -> None:
    parser = wire.BodyParser(collector, True)
    while data := await body.read():
        parser.feed(data)


async def probe_what_was_applied_before_stays(client: Client) -> None:
    session = await Link(client).begin()
    body = session.record(opening(2, wire.KIND_STREAM, "sig") + wire.capsule(wire.WINDOW, b"\x02"))
    await fails(client, session, body, "fields missing")
    check(wire.Opened.decode(await session.poll_until(wire.OPENED)).channel == 2, "OPENED")


async def probe_capsules_of_an_incomplete_record_are_applied(client: Client) -> None:
    session = await Link(client).begin()
    reader, writer = await client.connect()
    writer.write(client.head(session.sid, session.query("duplex"), length=None))
    number, collector = session.number, Collector()
    record = session.record(opening(2, wire.KIND_STREAM, "sig") + wire.pad(100))[:-50]
    writer.write(b"%x\r\n%s\r\n" % (len(record), record))
    reading = asyncio.create_task(collect(await read_streamed(reader), collector))
    end = time.monotonic() + 2.0
    while not collector.all(wire.OPENED) and time.monotonic() < end:
        collector.capsules += (await session.poll(None, 200, c=1)).capsules   # OPENED may come on any carrier
    reading.cancel()
    check(bool(collector.all(wire.OPENED)), "not opened")
    check(not covers(collector, number), "an incomplete record is receipted")
    writer.transport.abort()


# ---------------------------------------------------------------- probes: channels (section 6)

async def probe_refusals(client: Client) -> None:
    session = await Link(client).begin()
    wants = {2: (opening(2, wire.KIND_STREAM, "nothing"), wire.UNKNOWN_SERVICE),
             4: (opening(4, wire.KIND_STREAM, "rtp"), wire.WRONG_KIND),
             6: (opening(6, wire.KIND_DATAGRAM, "rtp", {wire.P_INDEX: 60_000}), wire.WRONG_KIND)}
    everything = await session.gather(b"".join(octets for octets, _ in wants.values()), 0.5)
    got = {r.channel: r.code for r in map(wire.Refused.decode, everything.all(wire.REFUSED))}
    check(got == {ident: code for ident, (_, code) in wants.items()}, f"{got}")


async def probe_channel_limit(client: Client) -> None:
    session = await Link(client).begin()
    limit = session.welcome.parameters.get(wire.P_CHANNELS, 64)
    check(limit <= 100, f"{limit} channels are too many for this probe")
    await session.poll(b"".join(opening(2 * n, wire.KIND_DATAGRAM, "rtp") for n in range(1, limit + 2)))
    refused = wire.Refused.decode(await session.poll_until(wire.REFUSED))
    check((refused.channel, refused.code) == (2 * limit + 2, wire.LIMIT), f"{refused}")


async def probe_open_is_answered_again(client: Client) -> None:
    session = await Link(client).begin()
    for _ in range(2):
        await session.poll_until(wire.OPENED, opening(2, wire.KIND_DATAGRAM, "rtp"))


async def probe_stream_before_its_open_waits(client: Client) -> None:
    session = await Link(client).begin()
    await session.gather(wire.Stream(2, 0, b"early bird", True).encode(), 1.5)
    everything = await session.gather(opening(2, wire.KIND_STREAM, "half"), 1.5)
    text = b"".join(wire.Stream.decode(v).octets for v in everything.all(wire.STREAM)[:1])
    check(text.startswith(b"10 "), f"{text!r}")


async def probe_early_capsules_beyond_the_limit_are_not_receipted(client: Client) -> None:
    session = await Link(client).begin()
    number = session.number
    everything = await session.gather(wire.Stream(2, 0, bytes(5_000), False).encode(), 0.4)
    check(not covers(everything, number), "receipted")


async def probe_segments_in_any_order(client: Client) -> None:
    session = await Link(client).begin()
    pieces = [(6, b"6789", True), (3, b"345", False), (0, b"0123", False), (2, b"234567", False), (0, b"0", False)]
    capsules = opening(2, wire.KIND_STREAM, "sig") + b"".join(wire.Stream(2, o, b, f).encode() for o, b, f in pieces)
    everything = await session.gather(capsules, 1.0)
    got = {}
    for value in everything.all(wire.STREAM):
        segment = wire.Stream.decode(value)
        got |= {segment.offset + i: octet for i, octet in enumerate(segment.octets)}
    check(bytes(got[i] for i in sorted(got)) == b"0123456789", f"{got}")
    check(max(wire.Ack.decode(v).offset for v in everything.all(wire.ACK)) == 11, "the end is not acknowledged")


async def probe_contradicting_final_size_resets_the_channel(client: Client) -> None:
    session = await Link(client).begin()
    capsules = opening(2, wire.KIND_STREAM, "half") + wire.Stream(2, 0, b"abc", False).encode()
    capsules += wire.Stream(2, 5, b"", True).encode() + wire.Stream(2, 0, b"abcdefgh", False).encode()
    reset = wire.Reset.decode(await session.poll_until(wire.RESET, capsules))
    check((reset.channel, reset.code) == (2, wire.PROTOCOL), f"{reset}")


async def probe_bytes_beyond_the_limit(client: Client) -> None:
    session = await Link(client).begin()
    limit = session.welcome.parameters.get(wire.P_CHANNEL_WINDOW, 262_144)
    await session.poll_until(wire.OPENED, opening(2, wire.KIND_STREAM, "half"))
    number = session.number
    everything = await session.gather(wire.Stream(2, limit, b"x", False).encode(), 0.5)
    check(not covers(everything, number), "receipted")
    check(wire.Reset.decode(everything.all(wire.RESET)[0]).code == wire.PROTOCOL, "code")


async def probe_close_is_answered_by_reset(client: Client) -> None:
    session = await Link(client).begin()
    await session.poll_until(wire.OPENED, opening(2, wire.KIND_STREAM, "sig"))
    reset = wire.Reset.decode(await session.poll_until(wire.RESET, wire.Close(2, wire.LOCAL_RESET).encode()))
    check((reset.channel, reset.final) == (2, 0), f"{reset}")


async def probe_reset_is_acknowledged_with_final_plus_1(client: Client) -> None:
    session = await Link(client).begin()
    await session.poll_until(wire.OPENED, opening(2, wire.KIND_STREAM, "half"))
    capsules = wire.Stream(2, 0, b"abc", False).encode() + wire.Reset(2, wire.LOCAL_RESET, 10).encode()
    everything = await session.gather(capsules, 0.6)
    check(max(wire.Ack.decode(v).offset for v in everything.all(wire.ACK)) == 11, "ACK")


async def probe_datagrams_are_delivered_once(client: Client) -> None:
    session = await Link(client).begin()
    await session.poll_until(wire.OPENED, opening(2, wire.KIND_DATAGRAM, "rtp", {wire.P_DEADLINE: 5_000}))
    one = [wire.Datagram.encode(2, 0, form, 10, b"one") for form in range(4)]
    two = wire.Datagram.encode(2, 1, 1, 0, b"")
    everything = await session.gather(one[0] + one[1] + two, 0.1)
    for octets in (one[2], one[3], two):
        everything.capsules += (await session.gather(octets, 0.2)).capsules
    payloads = sorted(wire.Datagram.decode(v).payload for v in everything.all(wire.DATAGRAM))
    check(payloads == [b"", b"one"], f"{payloads}")


async def probe_datagram_beyond_its_deadline_is_dropped(client: Client) -> None:
    session = await Link(client).begin()
    await session.poll_until(wire.OPENED, opening(2, wire.KIND_DATAGRAM, "rtp", {wire.P_DEADLINE: 500}))
    late = wire.Datagram.encode(2, 0, 3, 900, b"late") + wire.Datagram.encode(2, 1, 0, 0, b"in time")
    everything = await session.gather(late, 0.5)
    check([wire.Datagram.decode(v).payload for v in everything.all(wire.DATAGRAM)] == [b"in time"], "deadline")


async def probe_lost_reliable_capsules_come_again(client: Client) -> None:
    """Nothing is receipted by us, so OPENED must come again by probe time-outs, each time in a new record."""
    session = await Link(client).begin()
    everything = await session.gather(opening(2, wire.KIND_DATAGRAM, "rtp"), 3.5)
    check(len(everything.all(wire.OPENED)) >= 2, f"{len(everything.all(wire.OPENED))} OPENED")


async def probe_same_x_again_sends_the_answer_again(client: Client) -> None:
    session = await Link(client).begin()
    query, body = session.query("poll", "&hold=1000"), session.record(opening(2, wire.KIND_DATAGRAM, "rtp"))
    for _ in range(2):
        begun = time.monotonic()
        (await client.send(session.sid, query, body)).parse().one(wire.OPENED)
        check(time.monotonic() - begun < 0.7, "late")


# ----------------------------------------------------------------

async def run(arguments: argparse.Namespace) -> int:
    client, failures = Client(arguments), 0
    probes = {name[6:]: work for name, work in globals().items() if name.startswith("probe_")}
    for name in arguments.names or probes:
        try:
            await asyncio.wait_for(probes[name](client), 30.0)
            print("ok", name, flush=True)
        except Exception as error:   # each probe by itself
            failures += 1
            print("not ok", name, error if isinstance(error, Failed) else repr(error), flush=True)
            if arguments.verbose:
                traceback.print_exc()
    return failures


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--server", "--cafile", "--token-file"):
        parser.add_argument(name, required=True)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("names", nargs="*")
    sys.exit(1 if asyncio.run(run(parser.parse_args())) else 0)


if __name__ == "__main__":
    main()
