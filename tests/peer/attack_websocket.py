#!/usr/bin/python3
"""What a helper's identity can do to a server by WebSockets when it means to harm.

    attack_websocket.py NAME --server https://127.0.0.1:PORT/culvert --cafile F --token-file F [--seconds S] [--connections N]
    attack_websocket.py list

N WebSockets at a time, each begun anew when the server has ended it. Prints a line of JSON: how each ended ("closed CODE",
"cut", "refused", "open": the server let it be), and octets sent.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import wire                         # noqa: E402
from client import Client, Failed, Link     # noqa: E402
from probe_websocket import PING, Socket, refused   # noqa: E402

MASK = bytes(4)   # what it hides is nothing
PIECE = 16_000
PAUSE = 0.1       # between two WebSockets of one worker


def frame(first: int, payload: bytes = b"", width: int = 0, length: int | None = None) -> bytes:
    length = len(payload) if length is None else length
    width = width or (0 if length < 126 else 2 if length < 65_536 else 8)
    short = {0: length, 2: 126, 8: 127}[width]
    return bytes([first, 0x80 | short]) + (length.to_bytes(width, "big") if width else b"") + MASK + payload


class Attack:
    """One WebSocket, until its time is over or the server has had enough."""

    def __init__(self, socket: Socket, session: Link, until: float, counts: collections.Counter):
        self.socket, self.session, self.until, self.counts = socket, session, until, counts
        self.over = False

    def goes_on(self) -> bool:
        return not self.over and time.monotonic() < self.until

    async def send(self, octets: bytes) -> None:
        writer = self.socket.writer
        writer.write(octets)
        self.counts["sent"] += len(octets)
        await asyncio.wait_for(writer.drain(), max(0.1, self.until - time.monotonic()))

    async def read(self) -> None:
        """What comes, up to the end; not all attacks do."""
        try:
            while await self.socket.step():
                pass
        except (Failed, OSError, asyncio.TimeoutError):
            pass
        self.over = True

    async def flood(self, piece: bytes, first: bytes = b"") -> None:
        if first:
            await self.send(first)
        while self.goes_on():
            await self.send(piece)
            await asyncio.sleep(0)


def many(octets: bytes) -> bytes:
    return octets * max(1, PIECE // len(octets))


async def pings(a: Attack) -> None:
    await a.flood(many(frame(0x89, bytes(125))))


async def empty_pings(a: Attack) -> None:
    await a.flood(many(frame(0x89)))


async def pongs(a: Attack) -> None:
    await a.flood(many(frame(0x8A, bytes(125))))


async def empty_fragments(a: Attack) -> None:
    await a.flood(many(frame(0x00)), frame(0x02))


async def empty_messages(a: Attack) -> None:
    await a.flood(many(frame(0x82)))


async def endless_message(a: Attack) -> None:
    await a.flood(frame(0x00, bytes(PIECE)), frame(0x02, wire.pad(4_000)))


async def huge_length(a: Attack) -> None:
    await a.flood(b"x", frame(0x82, width=8, length=1 << 40))


async def octet_by_octet(a: Attack) -> None:
    while a.goes_on():
        for octet in frame(0x82, a.session.record(PING)):
            await a.send(bytes([octet]))
            await asyncio.sleep(0.001)


async def questions(a: Attack) -> None:
    """Records that want answers, which are not read."""
    while a.goes_on():
        await a.send(b"".join(frame(0x82, a.session.record(PING)) for _ in range(500)))
        await asyncio.sleep(0)


async def wrong_frames(a: Attack) -> None:
    await a.send(random.choice((frame(0xC2), frame(0x83, b"x"), b"\x82\1x", frame(0x80), frame(0x09), frame(0x81, b"text"), frame(0x88, b"\3"))))
    while a.goes_on():
        await asyncio.sleep(0.01)


async def rubbish(a: Attack) -> None:
    while a.goes_on():
        await a.send(frame(random.choice((0x82, 0x02, 0x00, 0x80, 0x89)), os.urandom(random.randrange(300))))
        await asyncio.sleep(0.001)


async def closes(a: Attack) -> None:
    await a.send(frame(0x88, b"\3\xe8") + many(frame(0x82, bytes(100))))
    while a.goes_on():
        await asyncio.sleep(0.01)


async def silence(a: Attack) -> None:
    while a.goes_on():
        await asyncio.sleep(0.1)


READS = {pongs, empty_fragments, empty_messages, endless_message, huge_length, wrong_frames, rubbish, closes, octet_by_octet}
ATTACKS = {work.__name__.replace("_", "-"): work for work in (pings, empty_pings, pongs, empty_fragments, empty_messages, endless_message, huge_length,
                                                              octet_by_octet, questions, wrong_frames, rubbish, closes, silence)}


async def attempt(client: Client, session: Link, work, until: float, counts: collections.Counter) -> str:
    try:
        socket = await Socket.open(client, session)
    except (Failed, OSError):
        return "refused"
    attack = Attack(socket, session, until, counts)
    reading = [asyncio.create_task(attack.read())] if work in READS else []
    try:
        await work(attack)
    except (OSError, asyncio.TimeoutError):
        attack.over = time.monotonic() < until
    if reading:
        await asyncio.wait(reading, timeout=0.3)
        reading[0].cancel()
    codes = [int.from_bytes(frame.data[:2], "big") for frame in socket.others if frame.opcode == 8]
    socket.writer.transport.abort()
    return f"closed {codes[0]}" if codes else "cut" if attack.over and time.monotonic() < until else "open"


async def worker(client: Client, work, until: float, counts: collections.Counter, ends: collections.Counter) -> None:
    session = await Link(client).begin()
    while time.monotonic() < until:
        ends[await attempt(client, session, work, until, counts)] += 1
        await asyncio.sleep(PAUSE)


async def strangers(client: Client, until: float, counts: collections.Counter, ends: collections.Counter) -> None:
    """Handshakes that nobody signed."""
    session = Link(client)
    while time.monotonic() < until:
        ends["refused" if (await refused(client, session, signed=False)).status == "404" else "taken"] += 1
        counts["sent"] += 1


async def run(arguments: argparse.Namespace) -> None:
    client, until = Client(arguments), time.monotonic() + arguments.seconds
    client.tls.set_alpn_protocols(["http/1.1"])
    counts: collections.Counter = collections.Counter()
    ends: collections.Counter = collections.Counter()
    if arguments.name == "strangers":
        workers = [strangers(client, until, counts, ends) for _ in range(arguments.connections)]
    else:
        workers = [worker(client, ATTACKS[arguments.name], until, counts, ends) for _ in range(arguments.connections)]
    await asyncio.gather(*workers)
    print(json.dumps({"sent": counts["sent"], "ends": dict(ends)}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    for name in ("--server", "--cafile", "--token-file"):
        parser.add_argument(name)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=10)
    arguments = parser.parse_args()
    if arguments.name == "list":
        print("\n".join([*ATTACKS, "strangers"]))
    else:
        asyncio.run(run(arguments))


if __name__ == "__main__":
    main()
