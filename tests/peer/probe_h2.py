#!/usr/bin/python3
"""Probes of exchanges over HTTP/2, by python3-h2, as probe.py's over HTTP/1.1 (PROTOCOL.md, section 2); WebSockets by RFC 8441 (2.6).

    probe_h2.py --server https://127.0.0.1:PORT/culvert --cafile F --token-file F [NAME...]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import h2.config        # noqa: E402
import h2.connection    # noqa: E402
import h2.events        # noqa: E402
import h2.settings      # noqa: E402

import auth             # noqa: E402
import wire             # noqa: E402
from bodies import BodyParser           # noqa: E402
from client import PATIENCE, Client, Collector, Failed, Link, check, new_sid   # noqa: E402
from probe_websocket import PING, Socket    # noqa: E402
from server_websocket import SUBPROTOCOL    # noqa: E402

CONNECT_PROTOCOL = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL


class Stream:
    """One exchange; read and written to as a connection is."""

    def __init__(self, connection: Connection, number: int):
        self.connection = connection
        self.number = number
        self.headers: dict[str, str] = {}
        self.data = bytearray()
        self.ended = False
        self.transport = self

    async def head(self) -> dict[str, str]:
        while not self.headers:
            check(await self.connection.step() and not self.ended or bool(self.headers), "no answer")
        return self.headers

    async def read(self, most: int) -> bytes:
        while not self.data and not self.ended:
            if not await self.connection.step():
                break
        got = bytes(self.data[:most])
        del self.data[:most]
        return got

    async def rest(self) -> bytes:
        whole = b""
        while piece := await asyncio.wait_for(self.read(65_536), PATIENCE):
            whole += piece
        return whole

    def write(self, data: bytes) -> None:
        if not data:
            return
        self.connection.h2.send_data(self.number, data)
        self.connection.flush()

    def end(self) -> None:
        self.connection.h2.end_stream(self.number)
        self.connection.flush()

    def abort(self) -> None:
        if not self.ended:
            self.connection.h2.reset_stream(self.number)
            self.connection.flush()


class Connection:
    """One connection of HTTP/2 to the server."""

    def __init__(self, client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.client = client
        self.reader = reader
        self.writer = writer
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.streams: dict[int, Stream] = {}
        self.h2.initiate_connection()
        self.flush()

    @classmethod
    async def open(cls, client: Client) -> Connection:
        client.tls.set_alpn_protocols(["h2"])
        try:
            reader, writer = await client.connect()
        finally:
            client.tls.set_alpn_protocols(["http/1.1"])
        check(writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2", "no h2")
        self = cls(client, reader, writer)
        while not self.h2.remote_settings.get(CONNECT_PROTOCOL):
            check(await self.step(), "SETTINGS_ENABLE_CONNECT_PROTOCOL")
        return self

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    async def step(self) -> bool:
        data = await asyncio.wait_for(self.reader.read(65_536), PATIENCE)
        for event in self.h2.receive_data(data) if data else ():
            stream = self.streams.get(getattr(event, "stream_id", 0))
            if isinstance(event, h2.events.ResponseReceived):
                stream.headers = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                stream.data += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                stream.ended = True
        self.flush()
        return bool(data)

    def ask(self, sid: str, query: str, *, method: str = "POST", signed: str = "", lines: dict[str, str] | None = None, end: bool = False) -> Stream:
        """signed: the method that is signed, the request's own by default; "no": none is."""
        path = f"{self.client.base}/v1/{sid}"
        name, token = self.client.identities[0]
        headers = {":method": method, ":scheme": "https", ":path": f"{path}?{query}", ":authority": f"{self.client.host}:{self.client.port}"}
        if signed != "no":
            headers["authorization"] = auth.authorization(name, token, signed or method, path, query, int(time.time()))
        headers |= lines or {}
        order = sorted(headers, key=lambda name: not name.startswith(":"))
        stream = self.streams[self.h2.get_next_available_stream_id()] = Stream(self, self.h2.get_next_available_stream_id())
        self.h2.send_headers(stream.number, [(name, headers[name]) for name in order if headers[name]], end_stream=end)
        self.flush()
        return stream

    def ask_websocket(self, session: Link, *, c: int = 0, signed: str = "GET", lines: dict[str, str] | None = None) -> Stream:
        more = {":protocol": "websocket", "sec-websocket-version": "13", "sec-websocket-protocol": SUBPROTOCOL} | (lines or {})
        return self.ask(session.sid, session.query("websocket", c=c), method="CONNECT", signed=signed, lines=more)

    async def websocket(self, session: Link, **how) -> Socket:
        stream = self.ask_websocket(session, **how)
        headers = await stream.head()
        check(headers[":status"] == "200", f"status {headers[':status']}")
        check(headers.get("sec-websocket-protocol") == SUBPROTOCOL, "Sec-WebSocket-Protocol")
        check(not {"sec-websocket-accept", "sec-websocket-extensions", "upgrade", "connection"} & set(headers), f"{headers}")
        return Socket(stream, stream)


async def probe_poll_over_http_2(client: Client) -> None:
    session = await Link(client).begin()
    connection = await Connection.open(client)
    for _ in range(3):
        stream = connection.ask(session.sid, session.query("poll"))
        stream.write(session.record(PING))
        stream.end()
        headers, collector = await stream.head(), Collector()
        check(headers[":status"] == "200" and headers.get("content-type") == "application/octet-stream", f"{headers}")
        check("transfer-encoding" not in headers and "connection" not in headers, f"{headers}")
        BodyParser(collector, True).feed(await stream.rest())
        check(collector.one(wire.PONG) == b"\x21", "PONG")


async def probe_duplex_over_http_2(client: Client) -> None:
    session = await Link(client).begin()
    stream = (await Connection.open(client)).ask(session.sid, session.query("duplex"))
    check((await stream.head())[":status"] == "200", "answered while the body is open")
    stream.write(session.record(PING))
    collector = Collector()
    parser = BodyParser(collector, True)
    while not collector.all(wire.PONG):
        data = await asyncio.wait_for(stream.read(65_536), PATIENCE)
        check(data != b"", "answer ended")
        parser.feed(data)
    stream.abort()


async def probe_cover_over_http_2(client: Client) -> None:
    session, seen = await Link(client).begin(), set()
    connection = await Connection.open(client)
    for stream in (connection.ask(session.sid, session.query("poll"), signed="no", end=True), connection.ask(session.sid, "c=0&x=0&m=other", end=True),
                   connection.ask(session.sid, session.query("poll"), method="GET", end=True), connection.ask("", "", signed="no", end=True),
                   connection.ask_websocket(session, signed="no"), connection.ask_websocket(session, signed="CONNECT"),
                   connection.ask(session.sid, session.query("websocket"), signed="GET", end=True)):
        headers = await stream.head()
        kept = tuple(sorted((name, value) for name, value in headers.items() if name != "date"))
        seen.add((kept, await stream.rest()))
    check(len(seen) == 1 and dict(next(iter(seen))[0])[":status"] == "404", f"{seen}")


async def probe_websocket_over_http_2(client: Client) -> None:
    session = await Link(client).begin()
    socket = await (await Connection.open(client)).websocket(session)
    socket.say(session.record(PING + wire.Mark(5, 1, 9, wire.fnv1a(b"abc"), b"abc").encode()))
    await socket.pong()
    await socket.until(lambda: socket.collector.all(wire.SEEN))
    socket.frames.send_close(1000)
    socket.flush()
    socket.writer.end()
    await socket.closes_with(1000)


async def probe_websockets_beside_each_other_over_http_2(client: Client) -> None:
    """Of two sessions on one connection; one ends, the other goes on."""
    connection = await Connection.open(client)
    sessions = [await Link(client).begin(), await Link(client).begin()]
    sockets = [await connection.websocket(session) for session in sessions]
    for session, socket in zip(sessions, sockets):
        socket.say(session.record(PING))
        await socket.pong()
    sockets[0].writer.abort()
    sockets[1].collector.capsules.clear()
    sockets[1].say(sessions[1].record(PING))
    await sockets[1].pong()


async def probe_websocket_of_an_unknown_session_over_http_2(client: Client) -> None:
    session = await Link(client).begin()
    session.sid = new_sid()
    socket = await (await Connection.open(client)).websocket(session)
    await socket.until(lambda: socket.collector.all(wire.GONE))
    await socket.closes_with(1000)


async def probe_websocket_that_breaks_the_rules_over_http_2(client: Client) -> None:
    """The stream ends; whether the close frame comes before its reset depends. The connection goes on."""
    connection, mask = await Connection.open(client), bytes(4)
    session = await Link(client).begin()
    for octets in (b"\xc2\x81" + mask + b"x", b"\x82\x01x", b"\x81\x81" + mask + b"x", b"\x82\xff\0\0\0\1\0\0\0\0" + mask):
        socket = await connection.websocket(session)
        socket.writer.write(octets)
        while await asyncio.wait_for(socket.step(), 5.0):
            pass
        check(socket.writer.ended, "the stream goes on")
    socket = await connection.websocket(session)
    socket.say(session.record(PING))
    await socket.pong()


async def probe_websocket_that_cannot_be_agreed_to_over_http_2(client: Client) -> None:
    session = await Link(client).begin()
    connection = await Connection.open(client)
    for lines in ({"sec-websocket-version": "12"}, {"sec-websocket-version": ""}, {"sec-websocket-protocol": "other"}, {"sec-websocket-protocol": ""}):
        headers = await connection.ask_websocket(session, lines=lines).head()
        check(headers[":status"] == ("426" if "sec-websocket-version" in lines else "400"), f"{lines}: status {headers[':status']}")


async def run(arguments: argparse.Namespace) -> int:
    client, failures = Client(arguments), 0
    client.tls.set_alpn_protocols(["http/1.1"])
    probes = {name[6:]: work for name, work in globals().items() if name.startswith("probe_") and asyncio.iscoroutinefunction(work)}
    for name in arguments.names or probes:
        try:
            await asyncio.wait_for(probes[name](client), 30.0)
            print("ok", name, flush=True)
        except Exception as error:   # each probe by itself
            failures += 1
            print("not ok", name, error if isinstance(error, Failed) else repr(error), flush=True)
    return failures


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--server", "--cafile", "--token-file"):
        parser.add_argument(name, required=True)
    parser.add_argument("names", nargs="*")
    sys.exit(1 if asyncio.run(run(parser.parse_args())) else 0)


if __name__ == "__main__":
    main()
