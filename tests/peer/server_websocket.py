"""A server's WebSockets, by the frames of python3-websockets (PROTOCOL.md, section 2.6)."""

from __future__ import annotations

import asyncio
import base64
import hashlib

from websockets.connection import CLOSED, OPEN, SERVER, Connection
from websockets.frames import Opcode

import http1
import wire

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SUBPROTOCOL = "culvert.v1"
MESSAGE_MAX = 131_072


def accept_of(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except ValueError:
        return False


def is_asked_for(head: http1.Head) -> bool:
    tokens = {token.strip().lower() for token in head.headers.get("connection", "").split(",")}
    return (head.first[0] == "GET" and head.first[2] == "HTTP/1.1" and "upgrade" in tokens and
            head.headers.get("upgrade", "").lower() == "websocket")


def refusal(head: http1.Head) -> str:
    """The status of the answer to a handshake that cannot be agreed to, else ""."""
    if head.headers.get("sec-websocket-version") != "13":
        return "426 Upgrade Required"
    protocols = {token.strip() for token in head.headers.get("sec-websocket-protocol", "").split(",")}
    return "" if is_key(head.headers.get("sec-websocket-key", "")) and SUBPROTOCOL in protocols else "400 Bad Request"


class ServerSocket:
    """Written to as a body is; each write is a message."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, split: int):
        self.reader = reader
        self.writer = writer
        self.split = split
        self.frames = Connection(SERVER, OPEN, max_size=MESSAGE_MAX)
        self.message = bytearray()

    def agree(self, head: http1.Head, date: str) -> None:
        self.writer.write(http1.format_head("HTTP/1.1 101 Switching Protocols", {
            "Date": date, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Protocol": SUBPROTOCOL,
            "Sec-WebSocket-Accept": accept_of(head.headers["sec-websocket-key"])}))

    async def write(self, data: bytes) -> None:
        if self.frames.state is not OPEN:
            raise http1.HttpError("the WebSocket is closed")
        step = self.split or len(data)
        for pos in range(0, len(data), step):
            send = self.frames.send_continuation if pos else self.frames.send_binary
            send(data[pos:pos + step], fin=pos + step >= len(data))
        await self._flush()

    async def end(self) -> None:
        if self.frames.state is OPEN:
            self.frames.send_close(1000)
            await self._flush()

    async def _flush(self) -> None:
        for data in self.frames.data_to_send():
            if data:   # b"" asks to end the connection; its owner does
                self.writer.write(data)
        await self.writer.drain()

    async def read(self, take, silence: float) -> None:
        """Hands each message to take, up to the close frame or the end."""
        while self.frames.state is not CLOSED:
            data = await asyncio.wait_for(self.reader.read(65_536), silence)
            if not data:
                return
            self.frames.receive_data(data)
            for frame in self.frames.events_received():
                if frame.opcode is Opcode.TEXT:
                    self.frames.fail(1003, "text")
                    await self._flush()
                    await self._linger()
                    raise wire.Malformed("a text message")
                if frame.opcode in (Opcode.BINARY, Opcode.CONT):
                    self.message += frame.data
                    if frame.fin:
                        take(bytes(self.message))
                        self.message.clear()
                elif frame.opcode is Opcode.CLOSE:
                    await self._flush()
                    return
            await self._flush()
            if self.frames.parser_exc is not None:
                await self._linger()
                raise wire.Malformed(str(self.frames.parser_exc))

    async def _linger(self) -> None:
        """A close frame is to arrive, not to be overtaken by a reset."""
        try:
            await asyncio.wait_for(self.reader.read(), 0.5)
        except asyncio.TimeoutError:
            pass
