"""Probes of the mode `probe` and of what requests say of their answers (PROTOCOL.md, sections 3 and 4.6)."""

from __future__ import annotations

import asyncio
import time

import http1
import wire
from bodies import BodyParser
from client import PATIENCE, Client, Collector, Link, check, read_answer, read_streamed


def mark(n: int, filler: bytes = b"abc", flaw: int = 0) -> bytes:
    return wire.Mark(77, n, 9, wire.fnv1a(filler) ^ flaw, filler).encode()


def marks_of(collector: Collector) -> list[wire.Mark]:
    marks = [wire.Mark.decode(value) for value in collector.all(wire.MARK)]
    check(all(wire.fnv1a(m.filler) == m.check for m in marks), "a mark is damaged")
    return marks


def seens_of(collector: Collector) -> list[wire.Seen]:
    return [wire.Seen.decode(value) for value in collector.all(wire.SEEN)]


def chunk(octets: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(octets), octets)


async def until(body: http1.BodyReader, parser: BodyParser, done) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        data = await asyncio.wait_for(body.read(), max(0.0, end - time.monotonic()))
        check(data != b"", "answer ended")
        parser.feed(data)


async def probe_probe_complete(client: Client) -> None:
    session = await Link(client).begin()
    body = wire.pad(50) + wire.record(0, 5, mark(0)) + wire.record(1, 5, mark(1, flaw=1))
    query, begun = session.query("probe", "&n=3&size=200&hold=600&pad=4000"), time.monotonic()
    answer = await client.send(session.sid, query, body)
    check(time.monotonic() - begun >= 0.55, "not held")
    got, probed = answer.parse(), wire.Probed.decode(answer.parse().one(wire.PROBED))
    check(len(answer.body) == 4000 and got.numbers == [0], f"{len(answer.body)} octets, records {got.numbers}")
    check(probed == wire.Probed(session.x, 1, 11, 1, len(body), ""), f"{probed}")
    check([(s.ident, s.n, s.intact) for s in seens_of(got)] == [(77, 0, 1), (77, 1, 0)], f"{seens_of(got)}")
    marks = marks_of(got)
    check([(m.ident, m.n, len(m.filler)) for m in marks] == [(session.x, n, 200) for n in range(3)], f"{marks}")


async def probe_probe_streamed_after_the_request(client: Client) -> None:
    session = await Link(client).begin()
    reader, writer = await client.connect()
    writer.write(client.head(session.sid, session.query("probe", "&a=1&n=3&gap=200&hold=300&sse=1"), length=None))
    writer.write(chunk(wire.record(0, 5, mark(0))))
    await asyncio.sleep(0.2)
    writer.write(chunk(wire.record(1, 5, mark(1))))
    early = asyncio.create_task(http1.read_head(reader))
    await asyncio.sleep(0.2)
    check(not early.done(), "answered before the end of the request")
    writer.write(b"0\r\n\r\n")
    begun, head = time.monotonic(), await asyncio.wait_for(early, PATIENCE)
    check(head.headers.get("content-type") == "text/event-stream", f"{head.headers}")
    collector, body = Collector(), http1.BodyReader(reader, head, True)
    parser, times = BodyParser(collector, True), []
    for count in range(1, 4):
        await until(body, parser, lambda: len(collector.all(wire.MARK)) >= count)
        times.append(time.monotonic() - begun)
    check(times[0] >= 0.25 and all(b - a >= 0.15 for a, b in zip(times, times[1:])), f"marks at {times}")
    check(await asyncio.wait_for(body.read(), 2.0) == b"", "no end")
    first, second = seens_of(collector)
    check(150 <= (second.arrival - first.arrival) & 0xFFFFFFFF <= 400, f"{first} {second}")
    check(wire.Probed.decode(collector.one(wire.PROBED)).framing == 2, "framing")
    check([m.n for m in marks_of(collector)] == [0, 1, 2] and collector.numbers == [0, 1, 2, 3], f"{collector.numbers}")
    writer.transport.abort()


async def probe_probe_reports_at_once(client: Client) -> None:
    session = await Link(client).begin()
    reader, writer = await client.connect()
    writer.write(client.head(session.sid, session.query("probe", "&a=2&n=1"), length=None))
    body, collector = await read_streamed(reader), Collector()
    parser = BodyParser(collector, True)
    for n in range(3):
        writer.write(chunk(wire.record(n, 5, mark(n))))
        await until(body, parser, lambda: len(collector.all(wire.SEEN)) > n)
    check(len(collector.all(wire.MARK)) == 0, "marks before the end of the request")
    writer.write(b"0\r\n\r\n")
    while data := await asyncio.wait_for(body.read(), 2.0):
        parser.feed(data)
    newest = wire.Probed.decode(collector.all(wire.PROBED)[-1])
    check(newest.body > 60 and [m.n for m in marks_of(collector)] == [0], f"{newest}")
    writer.transport.abort()


async def probe_probe_counts_copies_and_shows_via(client: Client) -> None:
    session = await Link(client).begin()
    query = session.query("probe")
    for copies in (1, 2, 3):
        head = client.head(session.sid, query).replace(b"\r\n\r\n", b"\r\nVia: 1.1 one\r\nVia: 1.1 two\r\n\r\n")
        probed = wire.Probed.decode((await client.raw(head)).parse().one(wire.PROBED))
        check((probed.copies, probed.via) == (copies, "1.1 one, 1.1 two"), f"{probed}")


async def probe_probe_one_too_many(client: Client) -> None:
    session = await Link(client).begin()
    held = [asyncio.create_task(client.send(session.sid, session.query("probe", "&hold=2000"))) for _ in range(4)]
    await asyncio.sleep(0.5)
    more = (await client.send(session.sid, session.query("probe", "&a=1&n=2&hold=9000"))).parse()
    if not held[0].done():   # a server may answer more than four
        kinds = [kind for kind, _ in more.capsules]
        check(kinds == [wire.PROBED], f"{kinds}")
    await asyncio.gather(*held)


async def probe_probe_touches_no_carrier(client: Client) -> None:
    """Its records have numbers of their own and owe no receipts."""
    session = await Link(client).begin()
    await session.poll()
    ping = wire.capsule(wire.PING, b"\x07")
    await client.send(session.sid, session.query("probe"), wire.record(40, 5, mark(0) + ping))
    got = await session.gather(ping, 0.5)
    ranges = [r for value in got.all(wire.RECEIPT) for r in wire.Receipt.decode(value).ranges]
    check(all(last < 40 for _, last in ranges), f"{ranges}")
    check(len(got.all(wire.PONG)) == 1, "PONGs")


async def probe_pad_and_ka_of_a_streamed_answer(client: Client) -> None:
    session = await Link(client).begin()
    reader, writer = await client.connect()
    writer.write(client.head(session.sid, session.query("down", "&ka=1000&pad=3000")))
    body, got, begun = await read_streamed(reader), 0, time.monotonic()
    while time.monotonic() - begun < 2.5:
        try:
            data = await asyncio.wait_for(body.read(), 1.5)
        except asyncio.TimeoutError:
            check(False, "no PAD within 1.5 times ka")
        check(data != b"", "answer ended")
        got += len(data)
    check(got % 3000 == 0 and 6000 <= got <= 12000, f"{got} octets")
    writer.transport.abort()


async def probe_probe_of_http_1_0(client: Client) -> None:
    session = await Link(client).begin()
    reader, writer = await client.connect()
    writer.write(client.head(session.sid, session.query("probe", "&a=1&n=2&gap=10"), version="1.0"))
    answer = await asyncio.wait_for(read_answer(reader), PATIENCE)
    check("transfer-encoding" not in answer.head.headers, "chunked")
    got = answer.parse()
    check(wire.Probed.decode(got.one(wire.PROBED)).version == 10 and len(marks_of(got)) == 2, f"{got.capsules}")
    writer.transport.abort()
