#!/usr/bin/python3
"""wsothers: the other end of wsecho by python3-websockets.

    ask ADDR:PORT            talks to "wsecho serve": a line "ok NAME" or "FAIL NAME: why" for each case
    serve                    prints "ready tcp ADDR:PORT wsothers"; says again what comes, with compression offered
Exit status of ask: 0 when all are ok.
"""
import asyncio
import os
import socket
import struct
import sys

import websockets

LENGTHS = (0, 1, 125, 126, 127, 65535, 65536, 1000000)
TEXT = "Gr\u00fc\u00dfe \U0001f600 "
REASON = "auf Wiedersehen \U0001f600"


def connect(where, path, **more):
    return websockets.connect("ws://%s%s" % (where, path), max_size=None, open_timeout=10, close_timeout=5, **more)


async def same(socket_, message):
    await socket_.send(message)
    back = await asyncio.wait_for(socket_.recv(), 10)
    assert back == (b"".join(message) if isinstance(message, list) and isinstance(message[0], bytes) else
                    "".join(message) if isinstance(message, list) else message), "another message came back"


async def lengths(where):
    async with connect(where, "/echo") as s:
        for n in LENGTHS:
            await same(s, os.urandom(n))
            await same(s, (TEXT * (n // 10 + 1))[:n])


async def many(where):
    """Sent without waiting: what comes back is in order."""
    async with connect(where, "/echo") as s:
        for i in range(2000):
            await s.send(struct.pack("!I", i) * (i % 300 + 1))
        for i in range(2000):
            back = await asyncio.wait_for(s.recv(), 10)
            assert back == struct.pack("!I", i) * (i % 300 + 1), i


async def fragments_there(where):
    async with connect(where, "/echo") as s:
        await same(s, [os.urandom(n) for n in (1, 0, 5000, 126, 70000)])
        await same(s, ["\U0001f600", "", TEXT])


async def fragments_back(where):
    async with connect(where, "/fragments") as s:
        for n in (0, 1, 1000, 1001, 50000):
            await same(s, os.urandom(n))
        await same(s, TEXT * 1000)


async def pings(where):
    async with connect(where, "/echo") as s:
        for payload in (b"", b"\xff\0", bytes(125)):
            await asyncio.wait_for(await s.ping(payload), 5)
        await same(s, "still there")


async def pongs(where):
    async with connect(where, "/ping") as s:
        assert await asyncio.wait_for(s.recv(), 5) == "are you there?"


async def compression(where):
    """Offered by default; never agreed to."""
    async with connect(where, "/echo", compression="deflate") as s:
        assert "permessage-deflate" in s.request_headers["Sec-WebSocket-Extensions"]
        assert s.extensions == [] and "Sec-WebSocket-Extensions" not in s.response_headers
        await same(s, "a" * 10000)


async def subprotocol(where):
    async with connect(where, "/protocol/culvert.v1", subprotocols=["other", "culvert.v1"]) as s:
        assert s.subprotocol == "culvert.v1"
        await same(s, b"x")


async def wrong_subprotocol(where):
    try:
        async with connect(where, "/protocol/wrong", subprotocols=["culvert.v1"]):
            raise AssertionError("it was taken")
    except websockets.exceptions.InvalidHandshake:
        pass


async def close_by_client(where):
    for code, reason in ((1000, ""), (1001, "going"), (3000, REASON), (4999, "x" * 123)):
        s = await connect(where, "/echo")
        await same(s, "before")
        await s.close(code, reason)
        assert s.close_code == code, "answered with %s" % s.close_code


async def close_by_server(where):
    for code, reason in ((1000, ""), (1001, "going"), (1011, "broken"), (4001, REASON), (4000, "y" * 123)):
        async with connect(where, "/close") as s:
            await s.send("%d %s" % (code, reason))
            try:
                await asyncio.wait_for(s.recv(), 5)
                raise AssertionError("it was not closed")
            except websockets.exceptions.ConnectionClosed as e:
                assert (e.rcvd.code, e.rcvd.reason) == (code, reason), e


class Wrong:
    """A client that breaks the rules, on a bare socket, to see with what the server closes."""

    def __init__(self, where):
        host, port = where.rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), timeout=5)
        self.sock.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                          b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
        self.file = self.sock.makefile("rb")
        assert b" 101 " in self.file.readline()
        while self.file.readline() != b"\r\n":
            pass

    def closes_with(self, octets):
        self.sock.sendall(octets)
        first, size = self.file.read(2)
        assert first == 0x88, "a frame %#x, no close" % first
        payload = self.file.read(size)
        assert self.file.read() == b"", "something behind the close frame"
        self.sock.close()
        return int.from_bytes(payload[:2], "big")


async def wrong_frames(where):
    def masked(first, payload):
        return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload

    for octets, code in ((masked(0xc1, b"x"), 1002), (masked(0x83, b"x"), 1002), (b"\x81\1x", 1002), (masked(0x80, b"x"), 1002),
                         (masked(0x09, b""), 1002), (masked(0x81, b"\xff"), 1007), (masked(0x88, b"\3"), 1002),
                         (b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(4), 1009), (b"\x82\xfe\0\1" + bytes(5), 1002)):
        got = Wrong(where).closes_with(octets)
        assert got == code, "%s: %d, not %d" % (octets.hex(), got, code)


CASES = (lengths, many, fragments_there, fragments_back, pings, pongs, compression, subprotocol, wrong_subprotocol, close_by_client, close_by_server,
         wrong_frames)


async def ask(where):
    failed = 0
    for case in CASES:
        try:
            await asyncio.wait_for(case(where), 20)
            print("ok %s" % case.__name__)
        except Exception as e:  # pylint: disable=broad-except
            failed += 1
            print("FAIL %s: %s %s" % (case.__name__, type(e).__name__, e))
    return 1 if failed else 0


async def serve():
    async def echo(s, _path=None):
        async for message in s:
            await s.send(message)

    async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as server:
        print("ready tcp %s:%d wsothers" % server.sockets[0].getsockname()[:2], flush=True)
        await asyncio.Future()


def main():
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve())
    elif sys.argv[1:2] == ["ask"] and len(sys.argv) == 3:
        sys.exit(asyncio.run(ask(sys.argv[2])))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
