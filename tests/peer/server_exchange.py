"""A server's exchanges: hello and the modes (PROTOCOL.md, sections 2.3, 3 and 5)."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import http1
import records
import wire
from bodies import BodyParser
from incoming import Inbound
from records import Exchange, monotonic
from server_probe import ProbeAnswer
from server_request import Request
from server_session import HeldPoll, ServerSession
from server_websocket import ServerSocket
from session import Waker

if TYPE_CHECKING:
    from server import Server

SESSIONS_PER_IDENTITY = 256
POLL_ANSWER = 128 * 1024
INCOMING_SILENCE = 60.0                      # section 3: an `up` or `duplex` on which nothing arrives


class ExchangeServer:
    """Serves one authenticated exchange."""

    def __init__(self, server: Server, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                 body: http1.BodyReader, lose: bool):
        self.server = server
        self.request = request
        self.reader = reader
        self.writer = writer
        self.body = body
        self.lose = lose
        self.exchange = Exchange(request.carrier, request.x, request.mode)
        self.exchange.rests = request.number("rest") > 0
        self.session: ServerSession | None = None

    async def run(self) -> bool:
        refusal = self._refusal()
        if refusal is not None:
            return await self._answer_gone(refusal)
        if self.request.mode == "hello":
            return await self._hello()
        if self.request.mode == "probe":
            return await ProbeAnswer(self).run()
        session = self.session
        session.log("begin", self.request.mode, self.request.x)
        session.lose_answers_of(self.request.x)
        session.open_exchanges += 1
        try:
            keep = await getattr(self, f"_{self.request.mode}")()
            session.exchange_is_over(self.exchange, False)
            return keep
        except BaseException:
            session.exchange_is_over(self.exchange, True)
            raise
        finally:
            session.open_exchanges -= 1
            session.idle_since = monotonic()

    def _refusal(self) -> int | None:
        """Section 5: the code of a GONE, or None when the exchange may go on."""
        request, server = self.request, self.server
        if request.epoch is not None and request.epoch != f"{server.epoch:016x}":
            return wire.EPOCH
        key = (request.identity, request.sid)
        if server.is_buried(key):
            return wire.ENDED
        self.session = server.sessions.get(key)
        if self.session is None and request.mode != "hello":
            return wire.UNKNOWN_SESSION
        return None

    # ------------------------------------------------------------ answers

    def head(self, length: int | None, keep: bool) -> bytes:
        headers = {"Date": http1.http_date(self.server.clock_offset),
                   "Content-Type": "text/event-stream" if self.request.number("sse") else "application/octet-stream",
                   "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
        if length is not None:
            headers["Content-Length"] = str(length)
        else:
            headers["Incremental"] = "?1"
            if not self.request.head.is_old:
                headers["Transfer-Encoding"] = "chunked"
        if not keep:
            headers["Connection"] = "close"
        elif self.request.head.first[2] == "HTTP/1.0":
            headers["Connection"] = "keep-alive"
        return http1.format_head("HTTP/1.1 200 OK", headers)

    async def complete(self, body: bytes, keep: bool = True) -> bool:
        """A complete answer; with --lose-every it is not sent although everything was done for it."""
        if self.lose:
            raise http1.HttpError("answer lost on purpose")
        if self.session is not None:
            self.session.log("answer", self.request.mode, self.request.x, "body", len(body))
        keep = keep and self.request.head.keeps_connection
        self.writer.write(self.head(len(body), keep))
        await http1.BodyWriter(self.writer, False, self.server.settings.split).write(body)
        return keep

    async def _answer_gone(self, code: int) -> bool:
        """GONE at once; the rest of a request body is read and thrown away for a while, so that the answer arrives."""
        record = wire.record(0, records.clock_ms(monotonic()), wire.Farewell(code).encode(wire.GONE))
        if self.request.mode == "websocket":
            out = self._agree()
            await out.write(record)
            await out.end()
            return False
        whole = self.request.mode in ("hello", "poll", "down")
        if whole:
            await self._discard_body(10.0)
        keep = await self.complete(record, whole)
        if not whole:
            await self._discard_body(2.0)
        return keep

    async def _discard_body(self, seconds: float) -> None:
        end = monotonic() + seconds
        try:
            while await asyncio.wait_for(self.body.read(), max(0.0, end - monotonic())):
                pass
        except asyncio.TimeoutError:
            pass

    # ------------------------------------------------------------ hello

    async def _hello(self) -> bool:
        raw = bytearray()
        while data := await asyncio.wait_for(self.body.read(), INCOMING_SILENCE):
            raw += data
            if len(raw) > wire.TOP_CAPSULE_MAX + 16:
                raise wire.Malformed("hello too long")
        finder = HelloFinder()
        BodyParser(finder, False).feed(bytes(raw))
        if finder.hello is None:
            raise wire.Malformed("no HELLO in hello")
        code = self._greet(finder.hello)
        if code is not None:
            farewell = wire.Farewell(code).encode(wire.BYE)
            return await self.complete(wire.record(0, records.clock_ms(monotonic()), farewell))
        Inbound(self.session, self.exchange, False).feed(bytes(raw))
        self.session.idle_since = monotonic()
        return await self.complete(self._welcome())

    def _greet(self, hello: wire.Hello) -> int | None:
        """Get or create the session for (identity, sid); a code if there can be none."""
        if not hello.version_min <= 1 <= hello.version_max:
            return wire.VERSION
        if self.session is None:
            identity = self.request.identity
            if sum(key[0] == identity for key in self.server.sessions) >= SESSIONS_PER_IDENTITY:
                return wire.LIMIT
            self.session = ServerSession(self.server, identity, self.request.sid)
            self.server.sessions[self.session.key] = self.session
        self.session.greet(hello)
        return None

    def _welcome(self) -> bytes:
        session = self.session
        carrier = session.carrier(self.request.carrier)
        receipts = carrier.receipt(monotonic()) if carrier.received.ranges else b""
        carrier.next_record += 1
        now = records.clock_ms(monotonic())
        return wire.record(carrier.next_record - 1, now, session.welcome() + receipts)

    # ------------------------------------------------------------ poll, up

    async def _apply_body(self) -> None:
        inbound = Inbound(self.session, self.exchange, False)
        while data := await asyncio.wait_for(self.body.read(), INCOMING_SILENCE):
            inbound.feed(data)

    async def _poll(self) -> bool:
        self.exchange.at_once = self.request.hold == 0
        self.session.carrier(self.request.carrier).trusted |= self.request.hold > 0
        await self._apply_body()
        if self.request.number("end"):
            self.session.streams.pop(self.request.carrier, None)   # which ends that answer in order
            self.session.kick()
        return await self.complete(await self._hold_answer())

    async def _hold_answer(self) -> bytes:
        """At once with something to say, else when there is, when hold is over, or as the oldest of more than k."""
        session, held = self.session, HeldPoll()
        siblings = session.held.setdefault(self.request.carrier, [])
        siblings.append(held)
        end = monotonic() + self.request.hold / 1000
        gone = asyncio.create_task(self.reader.read(1))   # requests are never pipelined: this can only be the end
        try:
            with Waker(session) as waker:
                gone.add_done_callback(lambda _: waker.event.set())
                while True:
                    answer = self._pull_answer(False)
                    left = end - monotonic()
                    if answer:
                        return answer
                    if session.last_words is not None or left <= 0 or held.release:
                        return self._pull_answer(True)
                    self._release_oldest(siblings)
                    if not held.release:
                        await waker.wait(left)
                    if gone.done():
                        raise ConnectionResetError("the helper has gone")
        finally:
            siblings.remove(held)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    def _release_oldest(self, siblings: list[HeldPoll]) -> None:
        waiting = [held for held in siblings if not held.release]
        for held in waiting[:max(0, len(waiting) - self.request.held)]:
            held.release = True
            self.session.kick()

    def _pull_answer(self, force: bool) -> bytes:
        if self.session.last_words is not None:
            return self.session.last_record(self.exchange)
        body = bytearray()
        while len(body) < POLL_ANSWER:
            record = self.session.pull(self.request.carrier, self.exchange, force and not body)
            if not record:
                break
            body += record
        return bytes(body)

    async def _up(self) -> bool:
        await self._apply_body()
        return await self.complete(self._pull_answer(True))

    # ------------------------------------------------------------ down, duplex, websocket

    async def _down(self) -> bool:
        await self._discard_body(INCOMING_SILENCE)
        watching = asyncio.create_task(self.reader.read(1))
        return await self._stream(watching, self._streamed_answer())

    async def _duplex(self) -> bool:
        incoming = asyncio.create_task(self._read_then_watch())
        return await self._stream(incoming, self._streamed_answer())

    async def _websocket(self) -> bool:
        socket, inbound = self._agree(), Inbound(self.session, self.exchange, False)
        return await self._stream(asyncio.create_task(socket.read(inbound.feed, INCOMING_SILENCE)), socket)

    def _streamed_answer(self) -> http1.BodyWriter:
        self.writer.write(self.head(None, self.request.mode == "down"))
        return http1.BodyWriter(self.writer, not self.request.head.is_old, self.server.settings.split)

    def _agree(self) -> ServerSocket:
        socket = ServerSocket(self.reader, self.writer, self.server.settings.split)
        socket.agree(self.request.head, http1.http_date(self.server.clock_offset))
        return socket

    async def _read_then_watch(self) -> None:
        """The end of the request body means nothing more than that (section 3): the answer goes on."""
        await self._apply_body()
        await self.reader.read(1)

    async def _stream(self, incoming: asyncio.Task, out: http1.BodyWriter | ServerSocket) -> bool:
        """Write the answer until it is replaced, the session ends, or the incoming side fails."""
        session = self.session
        session.streams[self.request.carrier] = self.exchange
        session.kick()
        dying = monotonic() + random.uniform(0.3, 0.8) if self.lose else None
        await out.write(wire.filled(b"", max(2, self.request.number("pad"))))
        try:
            with Waker(session) as waker:
                incoming.add_done_callback(lambda _: waker.event.set())
                await self._stream_records(out, waker, incoming, dying)
            await out.end()
            if not incoming.done() and self.request.mode != "down":
                await asyncio.wait([incoming], timeout=1.0)   # let the helper end its body
        finally:
            if session.streams.get(self.request.carrier) is self.exchange:
                del session.streams[self.request.carrier]
            incoming.cancel()
            await asyncio.gather(incoming, return_exceptions=True)
        return self.request.mode == "down" and self.request.head.keeps_connection and not self.request.head.is_old

    async def _stream_records(self, out: http1.BodyWriter | ServerSocket, waker: Waker, incoming: asyncio.Task,
                              dying: float | None) -> None:
        session, sent_at = self.session, monotonic()
        silence = (self.request.number("ka") / 1000 or session.keepalive) * 0.9
        while session.streams.get(self.request.carrier) is self.exchange:
            if incoming.done():
                incoming.result()   # raises what the request body failed with
                raise ConnectionResetError("the helper has gone")
            if dying is not None and monotonic() > dying:
                raise http1.HttpError("answer lost on purpose")
            if session.last_words is not None:
                await out.write(session.last_record(self.exchange))
                return
            record = session.pull(self.request.carrier, self.exchange)
            if not record and monotonic() - sent_at >= silence:
                record = wire.pad(3)
            if record:
                await out.write(wire.filled(record, self.request.number("pad")))
                sent_at = monotonic()
            else:
                await waker.wait(max(0.01, sent_at + silence - monotonic()))


class HelloFinder:
    """Takes HELLO out of the body of a hello exchange before there is a session."""

    def __init__(self):
        self.hello: wire.Hello | None = None

    def begin_record(self, number: int, clock: int) -> None:
        pass

    def take_capsule(self, kind: int, value: bytes) -> None:
        if kind == wire.HELLO and self.hello is None:
            self.hello = wire.Hello.decode(value)

    def end_record(self) -> None:
        pass
