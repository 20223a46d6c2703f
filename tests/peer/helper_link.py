"""A helper's connections: requests out, answers in (PROTOCOL.md, section 2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import http1
import wire
from incoming import Inbound
from records import Exchange

if TYPE_CHECKING:
    from helper_session import HelperSession

HEAD_WAIT = 15.0
EXCHANGE_ERRORS = (OSError, http1.HttpError, wire.Malformed, wire.NotCulvertd, asyncio.TimeoutError)


class LostOnPurpose(OSError):
    """--lose-every: the answer of this exchange is not used."""


class Link:
    """One connection to the server, opened when it is needed."""

    def __init__(self, session: HelperSession):
        self.session = session
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def start(self, exchange: Exchange, extra: str = "", length: int | None = None) -> http1.BodyWriter:
        """Send a request's head; length None means a chunked body."""
        if self.writer is None or self.writer.is_closing() or self.reader.at_eof():
            self.close()
            helper = self.session.helper
            self.reader, self.writer = await asyncio.wait_for(asyncio.open_connection(
                helper.host, helper.port, ssl=helper.tls, limit=http1.STREAM_LIMIT), HEAD_WAIT)
            self.writer.transport.set_write_buffer_limits(high=65_536)
        self.writer.write(self.session.request_head(exchange, extra, length))
        self.session.log("begin", exchange.mode, exchange.x, "body", "streamed" if length is None else length)
        return http1.BodyWriter(self.writer, length is None, self.session.settings.split)

    async def answer_head(self, timeout: float) -> http1.Head:
        """The head of the final answer; 1xx are passed over (2.3)."""
        while True:
            head = await asyncio.wait_for(http1.read_head(self.reader), timeout)
            if head is None:
                raise http1.HttpError("connection ends instead of an answer")
            status = head.first[1]
            if status == "200":
                return head
            if not (len(status) == 3 and status[0] == "1"):
                raise wire.NotCulvertd(f"status {status}", head.headers.get("date"))

    async def answer(self, exchange: Exchange, first_wait: float, gap: float) -> None:
        """Read a whole answer and apply it as it comes."""
        head = await self.answer_head(first_wait)
        body = http1.BodyReader(self.reader, head, True)
        inbound = Inbound(self.session, exchange, True)
        lose = self.session.helper.loses(exchange)
        while True:
            data = await asyncio.wait_for(body.read(), gap)
            if not data:
                break
            if not lose:
                self.session.check_alive()
                inbound.feed(data)
        self.session.log("end", exchange.mode, exchange.x, "records", inbound.count)
        if lose:
            raise LostOnPurpose
        if not inbound.is_from_culvertd:
            raise wire.NotCulvertd("empty body", head.headers.get("date"))
        if not head.keeps_connection or body.until_close:
            self.close()

    def close(self) -> None:
        if self.writer is not None:
            http1.abort(self.writer)
        self.reader = self.writer = None
