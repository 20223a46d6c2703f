"""A helper's WebSockets, by python3-websockets (PROTOCOL.md, section 2.6): a link whose body is messages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import websockets
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidHandshake, InvalidStatusCode

import http1
import wire
from helper_link import HEAD_WAIT, LostOnPurpose
from incoming import Inbound
from records import Exchange

if TYPE_CHECKING:
    from helper_session import HelperSession

SUBPROTOCOL = "culvert.v1"
MESSAGE_MAX = 131_072


class MessageWriter:
    """One record, one message; in fragments of `split` octets when that is not 0."""

    def __init__(self, socket: websockets.WebSocketClientProtocol, split: int):
        self.socket = socket
        self.split = split

    async def write(self, data: bytes) -> None:
        try:
            if self.split:
                await self.socket.send([data[pos:pos + self.split] for pos in range(0, len(data), self.split)])
            else:
                await self.socket.send(data)
        except ConnectionClosed as error:
            raise http1.HttpError(str(error)) from None


class WebSocketLink:
    """As helper_link.Link, for one exchange."""

    def __init__(self, session: HelperSession):
        self.session = session
        self.socket: websockets.WebSocketClientProtocol | None = None

    async def start(self, exchange: Exchange) -> MessageWriter:
        helper = self.session.helper
        target, authorization = self.session.sign(exchange, "GET")
        try:
            self.socket = await asyncio.wait_for(websockets.connect(
                f"wss://{helper.authority}{target}", ssl=helper.tls, subprotocols=[SUBPROTOCOL], max_size=MESSAGE_MAX,
                extra_headers={"Authorization": authorization}, ping_interval=None, close_timeout=2.0), HEAD_WAIT)
        except InvalidStatusCode as error:
            raise wire.NotCulvertd(f"status {error.status_code}", error.headers.get("Date")) from None
        except InvalidHandshake as error:
            raise http1.HttpError(str(error)) from None
        if self.socket.subprotocol != SUBPROTOCOL or self.socket.extensions:
            raise wire.NotCulvertd(f"agreed to {self.socket.subprotocol} {self.socket.extensions}")
        self.session.log("begin", exchange.mode, exchange.x, "body", "messages")
        return MessageWriter(self.socket, self.session.settings.split)

    async def answer(self, exchange: Exchange, first_wait: float, gap: float) -> None:
        """Apply messages as they come, up to the server's close frame."""
        inbound, lose = Inbound(self.session, exchange, True), self.session.helper.loses(exchange)
        try:
            while True:
                message = await asyncio.wait_for(self.socket.recv(), first_wait if inbound.count == 0 else gap)
                if not isinstance(message, bytes):
                    raise wire.Malformed("a text message")
                if not lose:
                    self.session.check_alive()
                    inbound.feed(message)
        except ConnectionClosedOK:
            pass
        except ConnectionClosed as error:
            raise http1.HttpError(str(error)) from None
        self.session.log("end", exchange.mode, exchange.x, "records", inbound.count)
        if lose:
            raise LostOnPurpose
        if not inbound.is_from_culvertd:
            raise wire.NotCulvertd("no message")

    def close(self) -> None:
        if self.socket is not None:
            self.socket.transport.abort()
        self.socket = None
