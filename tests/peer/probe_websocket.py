"""Probes of the WebSocket mode, by the frames of python3-websockets or by hand (PROTOCOL.md, section 2.6)."""

from __future__ import annotations

import asyncio
import base64
import os
import time

from websockets.connection import CLIENT, OPEN, Connection
from websockets.frames import Frame, Opcode

import http1
import wire
from bodies import BodyParser
from client import PATIENCE, Answer, Client, Collector, Failed, Link, check, new_sid, opening, read_answer
from server_websocket import SUBPROTOCOL, accept_of

PING = wire.capsule(wire.PING, b"\x21")
LINES = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": SUBPROTOCOL}


class Socket:
    """A WebSocket made by hand; what it says is collected."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader = reader
        self.writer = writer
        self.frames = Connection(CLIENT, OPEN)
        self.collector = Collector()
        self.parser = BodyParser(self.collector, True)
        self.others: list[Frame] = []

    @classmethod
    async def open(cls, client: Client, session: Link, query: str = "", **how) -> Socket:
        key = base64.b64encode(os.urandom(16)).decode()
        reader, writer = await ask(client, session.sid, query or session.query("websocket"), key, **how)
        head = await asyncio.wait_for(http1.read_head(reader), PATIENCE)
        headers = head.headers
        check(head.first[1] == "101", f"status {head.first[1]}")
        check(headers.get("upgrade", "").lower() == "websocket" and "upgrade" in headers.get("connection", "").lower(), "Upgrade")
        check(headers.get("sec-websocket-accept") == accept_of(key), "Sec-WebSocket-Accept")
        check(headers.get("sec-websocket-protocol") == SUBPROTOCOL, "Sec-WebSocket-Protocol")
        check("sec-websocket-extensions" not in headers, "an extension")
        return cls(reader, writer)

    def say(self, *pieces: bytes) -> None:
        """One message, in fragments."""
        for i, piece in enumerate(pieces):
            (self.frames.send_continuation if i else self.frames.send_binary)(piece, fin=i == len(pieces) - 1)
        self.flush()

    def flush(self) -> None:
        self.writer.write(b"".join(self.frames.data_to_send()))

    async def step(self) -> bool:
        """False at the end of the connection."""
        data = await asyncio.wait_for(self.reader.read(65_536), PATIENCE)
        if data:
            self.frames.receive_data(data)
        for frame in self.frames.events_received():
            if frame.opcode is Opcode.BINARY:
                check(frame.fin, "a message in fragments")
                self.parser.feed(frame.data)
                check(self.parser.record_left < 0 and not self.parser.buffer, "a message that ends within a record")
            else:
                self.others.append(frame)
        check(self.frames.parser_exc is None, f"wrong frame: {self.frames.parser_exc}")
        if data:
            self.flush()   # pongs, and the answer to a close frame
        return bool(data)

    async def until(self, ready) -> None:
        while not ready():
            check(await self.step(), "the connection has ended")

    async def pong(self) -> None:
        """PING was answered."""
        await self.until(lambda: self.collector.all(wire.PONG))
        check(self.collector.one(wire.PONG) == b"\x21", "PONG")

    async def closes_with(self, *codes: int) -> None:
        """The close frame, then the end of the connection; both soon."""
        while await self.step():
            pass
        closes = [frame for frame in self.others if frame.opcode is Opcode.CLOSE]
        check(len(closes) == 1 and len(closes[0].data) >= 2, f"{len(closes)} close frames")
        got = int.from_bytes(closes[0].data[:2], "big")
        check(got in codes, f"closed with {got}")
        self.writer.transport.abort()


async def ask(client: Client, sid: str, query: str, key: str, lines: dict[str, str] | None = None, **how):
    head = client.head(sid, query, length=0, **({"method": "GET"} | how)).decode()
    head = head.replace("Content-Length: 0\r\n", "").replace("Content-Type: application/octet-stream\r\n", "")
    more = (LINES | {"Sec-WebSocket-Key": key}) | (lines or {})
    head = head[:-2] + "".join(f"{name}: {value}\r\n" for name, value in more.items() if value) + "\r\n"
    reader, writer = await client.connect()
    writer.write(head.encode())
    return reader, writer


async def refused(client: Client, session: Link, lines: dict[str, str] | None = None, **how) -> Answer:
    reader, writer = await ask(client, session.sid, session.query("websocket"), "AAAAAAAAAAAAAAAAAAAAAA==", lines, **how)
    try:
        return await asyncio.wait_for(read_answer(reader), PATIENCE)
    finally:
        writer.transport.abort()


async def probe_websocket_carries_records(client: Client) -> None:
    session = await Link(client).begin()
    socket = await Socket.open(client, session)
    socket.say(session.record(PING + wire.Mark(5, 1, 9, wire.fnv1a(b"abc"), b"abc").encode()))
    await socket.pong()
    await socket.until(lambda: socket.collector.all(wire.SEEN))
    socket.frames.send_close(1000)
    socket.flush()
    await socket.closes_with(1000)


async def probe_websocket_takes_fragments_and_pings_between(client: Client) -> None:
    session = await Link(client).begin()
    socket = await Socket.open(client, session)
    record = session.record(PING)
    for i, octet in enumerate(record):
        (socket.frames.send_continuation if i else socket.frames.send_binary)(bytes([octet]), fin=i == len(record) - 1)
        socket.frames.send_ping(b"%d" % i)
    socket.flush()
    await socket.pong()
    await socket.until(lambda: any(f.opcode is Opcode.PONG and f.data == b"%d" % (len(record) - 1) for f in socket.others))
    socket.writer.transport.abort()


async def probe_websocket_messages_need_not_be_records(client: Client) -> None:
    session = await Link(client).begin()
    socket = await Socket.open(client, session)
    record = session.record(PING)
    for octet in record:
        socket.say(bytes([octet]))
        socket.say(b"")
    await socket.pong()
    socket.collector.capsules.clear()
    socket.say(session.record(wire.Mark(5, 1, 9, 1, b"").encode()) + session.record(PING) + wire.pad(9))
    await socket.pong()
    check(len(socket.collector.all(wire.SEEN)) == 1, "SEEN")
    socket.writer.transport.abort()


async def probe_websocket_is_kept_alive(client: Client) -> None:
    session, begun = await Link(client).begin(), time.monotonic()
    socket, heard = await Socket.open(client, session), time.monotonic()
    while time.monotonic() - begun < 2.2:
        check(await socket.step(), "ended")
        check(time.monotonic() - heard < 0.9, "silence of more than 1.5 keepalives of 500 ms")
        heard = time.monotonic()
    socket.writer.transport.abort()


async def probe_websocket_that_rests_is_not_trusted_for_a_receipt(client: Client) -> None:
    session = await Link(client).begin()
    socket = await Socket.open(client, session, session.query("websocket", "&rest=1", c=1))
    await session.poll_until(wire.OPENED, opening(2, wire.KIND_DATAGRAM, "rtp"))
    for n, capsules in enumerate((wire.Mark(1, 0, 0, wire.fnv1a(b""), b"").encode(), wire.Receipt(1, 0, [(0, 0)]).encode())):
        socket.say(session.record(capsules, n))
        await socket.until(lambda: socket.collector.all(wire.SEEN))
        await asyncio.sleep(0.3)
    await session.poll(wire.Datagram.encode(2, 0, 0, 0, b"one"))
    end = time.monotonic() + 0.8
    while time.monotonic() < end:
        await socket.step()   # PAD comes
    kinds = {kind for kind, _ in socket.collector.capsules}
    check(kinds <= {wire.SEEN, wire.RECEIPT, wire.PING, wire.PONG, wire.MARK}, f"capsules {kinds} came on it")
    socket.say(session.record(wire.Datagram.encode(2, 1, 0, 0, b"two"), 2))
    await socket.until(lambda: socket.collector.all(wire.DATAGRAM))
    socket.writer.transport.abort()


async def probe_newer_websocket_replaces_the_older(client: Client) -> None:
    session = await Link(client).begin()
    older = await Socket.open(client, session)
    newer = await Socket.open(client, session)
    newer.say(session.record(PING))
    await asyncio.wait_for(older.closes_with(1000), 5.0)
    newer.writer.transport.abort()


async def probe_websocket_of_an_unknown_session_says_gone(client: Client) -> None:
    session = await Link(client).begin()
    session.sid = new_sid()
    socket = await Socket.open(client, session)
    await socket.until(lambda: socket.collector.all(wire.GONE))
    check(wire.Farewell.decode(socket.collector.one(wire.GONE)).code == wire.UNKNOWN_SESSION, "code")
    await socket.closes_with(1000)


async def probe_websocket_that_breaks_the_rules_is_closed(client: Client) -> None:
    session = await Link(client).begin()
    mask = bytes(4)
    for name, octets, code in (("reserved bits", b"\xc2\x81" + mask + b"x", 1002), ("an opcode", b"\x83\x81" + mask + b"x", 1002),
                               ("no mask", b"\x82\x01x", 1002), ("a continuation", b"\x80\x81" + mask + b"x", 1002),
                               ("a ping in fragments", b"\x09\x80" + mask, 1002), ("text", b"\x81\x81" + mask + b"x", 1003),
                               ("length", b"\x82\xff\0\0\0\1\0\0\0\0" + mask, 1009)):
        socket = await Socket.open(client, session)
        socket.writer.write(octets)
        try:
            await asyncio.wait_for(socket.closes_with(code), 5.0)
        except Failed as failed:
            raise Failed(f"{name}: {failed}") from None


async def probe_websocket_that_cannot_be_agreed_to(client: Client) -> None:
    session = await Link(client).begin()
    for name, lines in {"version": {"Sec-WebSocket-Version": "12"}, "no version": {"Sec-WebSocket-Version": ""},
                        "key": {"Sec-WebSocket-Key": "AAAA"}, "no key": {"Sec-WebSocket-Key": ""},
                        "subprotocol": {"Sec-WebSocket-Protocol": "other"}, "no subprotocol": {"Sec-WebSocket-Protocol": ""}}.items():
        status = (await refused(client, session, lines)).status
        wanted = "426" if "version" in name else "400"
        check(status == wanted, f"{name}: status {status}, not {wanted}")


async def probe_websocket_without_credentials_gets_the_cover(client: Client) -> None:
    session = await Link(client).begin()
    cover = (await client.send(session.sid, session.query("poll"), signed=False)).cover()
    others = {"unsigned": await refused(client, session, signed=False), "token": await refused(client, session, token=b"?" * 32),
              "POST": await refused(client, session, method="POST"), "no upgrade": await refused(client, session, {"Upgrade": "", "Connection": ""}),
              "as a request": await client.send(session.sid, session.query("websocket"))}
    for cause, answer in others.items():
        check(answer.cover() == cover, f"another cover for {cause}: {answer.cover()}")


async def probe_websocket_ignores_extensions(client: Client) -> None:
    session = await Link(client).begin()
    socket = await Socket.open(client, session, lines={"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
                                                       "Sec-WebSocket-Protocol": f"other, {SUBPROTOCOL}"})
    socket.say(session.record(PING))
    await socket.pong()
    socket.writer.transport.abort()
