"""A server's answer to a probe (PROTOCOL.md, section 4.6)."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import http1
import records
import wire
from bodies import BodyParser
from records import monotonic

if TYPE_CHECKING:
    from server_exchange import ExchangeServer

PROBES_AT_A_TIME, SURPLUS_WAIT = 4, 0.2
COPIES_REMEMBERED, MARKS_SEEN = 32, 32
INCOMING_SILENCE = 60.0


class ProbeAnswer:
    """Notes the marks of the request, answers with marks; the sink of the request's parser."""

    def __init__(self, exchange: ExchangeServer):
        self.exchange = exchange
        self.request = exchange.request
        self.session = exchange.session
        self.seen: list[wire.Seen] = []
        self.told = 0
        self.number = 0
        self.octets = 0
        self.marks = 0
        self.changed = asyncio.Event()
        probed = self.session.probed
        self.copies = probed[self.request.x] = probed.get(self.request.x, 0) + 1
        while len(probed) > COPIES_REMEMBERED:
            probed.popitem(last=False)

    # ------------------------------------------------------------ the request

    def begin_record(self, number: int, clock: int) -> None:
        pass

    def take_capsule(self, kind: int, value: bytes) -> None:
        if kind == wire.MARK and len(self.seen) < MARKS_SEEN:
            mark = wire.Mark.decode(value)
            intact = wire.fnv1a(mark.filler) == mark.check
            self.seen.append(wire.Seen(mark.ident, mark.n, records.clock_ms(monotonic()), int(intact)))

    def end_record(self) -> None:
        self.changed.set()

    async def _read(self) -> None:
        parser = BodyParser(self, False)
        while data := await asyncio.wait_for(self.exchange.body.read(), INCOMING_SILENCE):
            self.octets += len(data)
            parser.feed(data)

    # ------------------------------------------------------------ the answer

    async def run(self) -> bool:
        session = self.session
        session.open_exchanges += 1
        session.probes += 1
        reading = asyncio.create_task(self._read())
        try:
            if session.probes > PROBES_AT_A_TIME:
                await asyncio.wait([reading], timeout=SURPLUS_WAIT)
                return await self.exchange.complete(self._record(self._probed()), reading.done())
            return await (self._streamed(reading) if self.request.number("a") else self._complete(reading))
        finally:
            session.probes -= 1
            session.open_exchanges -= 1
            session.idle_since = monotonic()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _complete(self, reading: asyncio.Task) -> bool:
        await reading
        await asyncio.sleep(self.request.hold / 1000)
        if self.session.last_words is not None:
            return await self.exchange.complete(self._record(self.session.last_words))
        capsules = self._probed() + self._seens()
        while self.marks < self.request.number("n"):
            mark = self._mark()
            if len(capsules) + len(mark) > wire.TOP_CAPSULE_MAX - 32:
                break
            capsules += mark
        return await self.exchange.complete(self._record(capsules))

    async def _streamed(self, reading: asyncio.Task) -> bool:
        request = self.request
        early = request.number("a") == 2
        if not early:
            await reading
        self.exchange.writer.write(self.exchange.head(None, True))
        out = http1.BodyWriter(self.exchange.writer, not request.head.is_old, self.exchange.server.settings.split)
        if early:
            await out.write(self._record(self._probed()))
            await self._tell(reading, out)
        await out.write(self._record(self._probed() + self._seens()))
        await asyncio.sleep(request.hold / 1000)
        while self.marks < request.number("n") and self.session.last_words is None:
            if self.marks:
                await asyncio.sleep(request.number("gap") / 1000)
            await out.write(self._record(self._mark()))
        await out.end()
        return request.head.keeps_connection and not request.head.is_old

    async def _tell(self, reading: asyncio.Task, out: http1.BodyWriter) -> None:
        """Reports marks as they come, until the request is complete."""
        reading.add_done_callback(lambda _: self.changed.set())
        while not reading.done():
            await self.changed.wait()
            self.changed.clear()
            if self.told < len(self.seen):
                await out.write(self._record(self._seens()))
        reading.result()

    def _record(self, capsules: bytes) -> bytes:
        self.number += 1
        record = wire.record(self.number - 1, records.clock_ms(monotonic()), capsules)
        return wire.filled(record, self.request.number("pad"))

    def _probed(self) -> bytes:
        head, body = self.request.head, self.exchange.body
        framing = 2 if body.chunked else 1 if "content-length" in head.headers else 0
        via = "".join(c if " " <= c <= "~" else "?" for c in head.headers.get("via", ""))[:256]
        version = 10 if head.first[2] == "HTTP/1.0" else 11
        return wire.Probed(self.request.x, self.copies, version, framing, self.octets, via).encode()

    def _seens(self) -> bytes:
        fresh, self.told = self.seen[self.told:], len(self.seen)
        return b"".join(seen.encode() for seen in fresh)

    def _mark(self) -> bytes:
        filler = os.urandom(self.request.number("size"))
        mark = wire.Mark(self.request.x, self.marks, records.clock_ms(monotonic()), wire.fnv1a(filler), filler)
        self.marks += 1
        return mark.encode()
