"""Probes of bodies and records (PROTOCOL.md, section 4)."""

from __future__ import annotations

import asyncio
import time

import http1
import wire
from client import Client, Collector, Failed, Link, check, collect, covers, opening, read_streamed


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
        "no payload type": session.record(wire.capsule(wire.OPEN, b"\x02\x00\x00\x03rtp\x16\x02\x00\x80")),
        "too many payload types": session.record(wire.capsule(wire.OPEN, b"\x02\x00\x00\x03rtp\x17\x21" + bytes(33))),
        "no such redundancy": session.record(wire.capsule(wire.OPEN, b"\x02\x00\x00\x03rtp\x15\x01\x03")),
        "missing fields of a channel unknown": session.record(wire.capsule(wire.ACK, b"\x04")),
    }.items():
        await fails(client, session, bad, cause)
    check(len((await session.poll()).numbers) >= 1, "session is damaged")


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
