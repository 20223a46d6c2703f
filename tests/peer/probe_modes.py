"""Probes of the modes (PROTOCOL.md, section 3)."""

from __future__ import annotations

import asyncio
import time

import wire
from bodies import BodyParser
from client import (PATIENCE, Client, Collector, Failed, Link, check, collect, covers, opening, read_answer,
                    read_streamed)


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


async def probe_down_begins_at_once_and_is_kept_alive(client: Client) -> None:
    session = await Link(client).begin()
    reader, writer = await client.connect()
    begun = time.monotonic()
    writer.write(client.head(session.sid, session.query("down")))
    body, collector = await read_streamed(reader), Collector()
    parser, pieces = BodyParser(collector, True), 0
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


async def probe_carrier_that_is_given_up_has_its_answer_ended(client: Client) -> None:
    session = await Link(client).begin()
    reader, writer = await client.connect()
    writer.write(client.head(session.sid, session.query("down")))
    answer = await read_streamed(reader)
    await client.send(session.sid, session.query("poll", "&hold=0&end=1"), b"")
    end = time.monotonic() + 2.0
    while await asyncio.wait_for(answer.read(), 2.0):
        check(time.monotonic() < end, "the answer goes on")
    writer.transport.abort()


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
    parser = BodyParser(collector, True)
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
