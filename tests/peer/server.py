"""The peer as server: HTTP, authentication, sessions, targets (PROTOCOL.md, sections 2, 3, 5 and 6)."""

from __future__ import annotations

import asyncio
import os
import random
import re
import ssl
import sys
import time
from dataclasses import dataclass

import auth
import http1
import records
import wire
from pump import Pump, UdpSocket
from records import monotonic
from session import Exchange, Inbound, Session, Settings, Waker
from streams import DatagramChannel, StreamChannel

COVER = b"Not Found\n"
TOMBSTONE_TIME = 600.0                       # section 5
EXPIRY_WITH_CHANNELS, EXPIRY_EMPTY = 330.0, 45.0
SESSIONS_PER_IDENTITY = 256
POLL_ANSWER = 128 * 1024
INCOMING_SILENCE = 60.0                      # section 3: an `up` or `duplex` on which nothing arrives
BODY_ERRORS = (OSError, http1.HttpError, wire.Malformed, asyncio.TimeoutError)


@dataclass
class Service:
    """One --service: name, kind and the range of target ports."""
    kind: int
    host: str
    first: int
    last: int


@dataclass
class Request:
    """A request that is well-formed and authenticated."""
    identity: str
    sid: str
    carrier: int
    x: int
    mode: str
    hold: int
    held: int
    epoch: str | None
    head: http1.Head


NUMBERS = {"c": (0, 65_535), "x": (0, (1 << 53) - 1), "hold": (0, 60_000), "k": (1, 16)}


def parse_query(query: str) -> dict[str, int | str] | None:
    """Section 2.1; None if it is malformed."""
    found: dict[str, int | str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name not in ("c", "x", "m", "hold", "k", "e"):
            continue
        if name in found:
            return None
        found[name] = value
    for name, (least, most) in NUMBERS.items():
        if name in found:
            if not re.fullmatch(r"[0-9]{1,16}", found[name]) or not least <= int(found[name]) <= most:
                return None
            found[name] = int(found[name])
    modes = ("hello", "poll", "up", "down", "duplex")
    if "c" not in found or "x" not in found or found.get("m") not in modes:
        return None
    if "e" in found and not re.fullmatch(r"[0-9a-f]{16}", found["e"]):
        return None
    return None if "e" not in found and found["m"] != "hello" else found


class ServerSession(Session):
    """One session of one identity."""

    is_server = True

    def __init__(self, server: Server, identity: str, sid: str):
        super().__init__(server.settings)
        self.server = server
        self.key = (identity, sid)
        self.greeted = False
        self.open_exchanges = 0
        self.idle_since = monotonic()
        self.keepalive = 8.0
        self.held: dict[int, list[HeldPoll]] = {}
        self.streams: dict[int, Exchange] = {}                 # newest streamed answer of a carrier
        self.last_words: bytes | None = None                   # what every open exchange is told at the end
        self.tasks: set[asyncio.Task] = set()
        self.spawn(self.run_ticks())

    def spawn(self, work) -> asyncio.Task:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def tick(self, now: float) -> None:
        super().tick(now)
        span = EXPIRY_WITH_CHANNELS if self.channels else EXPIRY_EMPTY
        if not self.open_exchanges and now - self.idle_since > span:
            self.end(wire.GONE, wire.EXPIRED)

    def end(self, kind: int, code: int) -> None:
        """The session is over: a tombstone stays, every channel goes."""
        if self.last_words is not None:
            return
        self.log("session", self.key, "ends, code", code)
        self.last_words = wire.Farewell(code).encode(kind)
        self.ended = True
        self.server.bury(self)
        for channel in list(self.channels.values()):
            if channel.kind == wire.KIND_STREAM:
                channel.lost_code = wire.SESSION_LOST
                channel.changed.set()
            self._end_channel(channel)
        self.kick()

    def last_record(self, exchange: Exchange) -> bytes:
        """A record with BYE or GONE, after the receipt that a poll's answer owes."""
        receipts = b""
        carrier = self.carrier(exchange.carrier)
        if exchange.owes_receipt and carrier.received.ranges:
            receipts = carrier.receipt(monotonic())
        carrier.next_record += 1
        return wire.record(carrier.next_record - 1, records.clock_ms(monotonic()), receipts + self.last_words)

    # ------------------------------------------------------------ capsules that only a server gets

    def greet(self, hello: wire.Hello) -> None:
        if not self.greeted:
            self.greeted = True
            self.set_peer_limits(hello.parameters)
            self.keepalive = hello.parameters.get(wire.P_KEEPALIVE, 8_000) / 1000

    def welcome(self) -> bytes:
        return wire.Welcome(1, 0, self.server.node, self.server.epoch,
                            {**self.own_parameters(), wire.P_MAX_HOLD: 60_000}).encode()

    def _on_bye(self, value: bytes, context) -> None:
        wire.Farewell.decode(value)
        context.exchange.owes_receipt = True
        self.end(wire.GONE, wire.ENDED)

    def _on_open(self, value: bytes, context) -> None:
        opening = wire.Open.decode(value)
        if opening.channel == 0 or opening.channel % 2:
            raise wire.Malformed("helpers open even ids")
        channel = self.channels.get(opening.channel)
        if channel is not None:
            if channel.opened:
                self.pending[("opened", opening.channel)] = None
        elif not self.was_open(opening.channel):
            self._begin(opening)

    def _begin(self, opening: wire.Open) -> None:
        code = self._objection(opening)
        if code != wire.NONE:
            self.remember_id(opening.channel)
            self._release_early(opening.channel)   # ignored from now on
            self._refuse(opening.channel, code, "not opened")
            return
        service = self.server.services[opening.target]
        index = opening.parameters.get(wire.P_INDEX, 0)
        if opening.kind == wire.KIND_DATAGRAM:
            self._begin_datagram(opening, service, index)
        else:
            self._begin_stream(opening, service, index)

    def _objection(self, opening: wire.Open) -> int:
        service = self.server.services.get(opening.target)
        if opening.channel // 2 > self.channels_limit:
            return wire.LIMIT
        if service is None:
            return wire.UNKNOWN_SERVICE
        index = opening.parameters.get(wire.P_INDEX, 0)
        if service.kind != opening.kind or index > service.last - service.first:
            return wire.WRONG_KIND
        return wire.NONE

    def _refuse(self, ident: int, code: int, sentence: str) -> None:
        self.refusals[ident] = (code, sentence)
        if len(self.refusals) > 4_096:
            self.refusals.popitem(last=False)
        self.pending[("refused", ident)] = None
        if ident not in self.channels:   # it counts as one that was opened and has ended
            self.channels_ended += 1
            self.channels_limit = self.settings.channels + self.channels_ended
            self.pending[("window",)] = None
        self.kick()

    def _begin_datagram(self, opening: wire.Open, service: Service, index: int) -> None:
        deadline = opening.parameters.get(wire.P_DEADLINE, self.settings.deadline)
        channel = DatagramChannel(opening.channel, opening.target, deadline)
        channel.parameters = {wire.P_DEADLINE: deadline, wire.P_IDLE: 60_000}
        channel.idle = 90.0   # 30 s after the helper should have closed it (6.3)
        channel.user = UdpSocket(lambda payload, _: self.send_datagram(channel, payload),
                                 remote=(service.host, service.first + index))
        channel.opened = channel.open_sent = True
        self.pending[("opened", channel.ident)] = None
        self.add_channel(channel)

    def on_datagram(self, channel: DatagramChannel, payload: bytes) -> None:
        channel.user.send(payload)

    def _begin_stream(self, opening: wire.Open, service: Service, index: int) -> None:
        send_limit = opening.parameters.get(wire.P_THIS_WINDOW, self.peer_channel_window)
        channel = StreamChannel(self, opening.channel, opening.target, send_limit, self.settings.channel_window)
        channel.parameters = {wire.P_IDLE: 0}
        self.add_channel(channel)
        self.spawn(self._connect(channel, service.host, service.first + index))

    async def _connect(self, channel: StreamChannel, host: str, port: int) -> None:
        try:
            connecting = asyncio.open_connection(host, port, limit=http1.STREAM_LIMIT)
            reader, writer = await asyncio.wait_for(connecting, 10.0)
        except (OSError, asyncio.TimeoutError) as error:
            self._refuse(channel.ident, code_of(error), str(error))
            self._give_back(channel)
            self._end_channel(channel)
            return
        channel.opened = True
        self.pending[("opened", channel.ident)] = None
        self.kick()
        await Pump(self, channel, reader, writer).run()

    def _give_back(self, channel: StreamChannel) -> None:
        """REFUSED names no final size: what was received of the channel counts neither as sent nor as room taken."""
        receive = channel.receive
        self.consume(receive.highest - receive.delivered)
        self.received -= receive.highest

    def on_channel_ended(self, channel: StreamChannel | DatagramChannel) -> None:
        if channel.kind == wire.KIND_DATAGRAM:
            channel.user.close()

    def may_send_all(self, carrier: records.Carrier, exchange: Exchange) -> bool:
        return carrier.trusted or exchange.at_once

    def has_streamed_answer(self, carrier: int) -> bool:
        return carrier in self.streams

    HANDLERS = {**Session.HANDLERS, wire.BYE: _on_bye, wire.OPEN: _on_open}


def code_of(error: BaseException) -> int:
    if isinstance(error, ConnectionRefusedError):
        return wire.CONNECT_REFUSED
    return wire.TIMEOUT if isinstance(error, asyncio.TimeoutError) else wire.UNREACHABLE


class HeldPoll:
    """A poll whose answer waits (section 3)."""

    def __init__(self):
        self.release = False


class Server:
    def __init__(self, tokens: dict[str, list[bytes]], services: dict[str, Service], base: str,
                 settings: Settings, clock_offset: float = 0.0):
        self.clock_offset = clock_offset   # --clock: a clock that is wrong
        self.tokens = tokens
        self.services = services
        self.base = base
        self.settings = settings
        self.epoch = int.from_bytes(os.urandom(8), "big") or 1
        self.node = int.from_bytes(os.urandom(8), "big")
        self.sessions: dict[tuple[str, str], ServerSession] = {}
        self.tombstones: dict[tuple[str, str], float] = {}
        self.exchanges = 0

    # ------------------------------------------------------------ sessions

    def bury(self, session: ServerSession) -> None:
        now = monotonic()
        self.sessions.pop(session.key, None)
        self.tombstones = {key: end for key, end in self.tombstones.items() if end > now}
        self.tombstones[session.key] = now + TOMBSTONE_TIME

    def is_buried(self, key: tuple[str, str]) -> bool:
        return self.tombstones.get(key, 0.0) > monotonic()

    def go_away(self) -> None:
        """Ask every helper to open new channels elsewhere (SIGUSR1)."""
        for session in self.sessions.values():
            session.pending[("goaway",)] = None
            session.kick()

    async def shut_down(self) -> None:
        for session in list(self.sessions.values()):
            session.end(wire.BYE, wire.SHUTDOWN)
        await asyncio.sleep(0.3)

    # ------------------------------------------------------------ connections and requests

    async def on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=65_536)
        try:
            while await self._serve_one(reader, writer):
                pass
            writer.close()
        except BODY_ERRORS as error:
            if self.settings.verbose and not isinstance(error, ConnectionError):
                print("peer: connection ends:", repr(error), file=sys.stderr, flush=True)
            http1.abort(writer)
        except asyncio.CancelledError:
            http1.abort(writer)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One exchange; false if the connection cannot carry another."""
        try:
            head = await http1.read_head(reader)
        except http1.HttpError:
            await self._cover(writer, "GET", False)
            return False
        if head is None:
            return False
        request = self._authenticate(head)
        if request is None:
            return await self._answer_cover(reader, writer, head)
        self.exchanges += 1
        lose = bool(self.settings.lose_every) and self.exchanges % self.settings.lose_every == 0
        body = http1.BodyReader(reader, head, False)
        return await ExchangeServer(self, request, reader, writer, body, lose).run()

    def _authenticate(self, head: http1.Head) -> Request | None:
        """Sections 2.1 and 2.2; everything that is not right gets the same cover."""
        method, target, version = head.first
        if not version.startswith("HTTP/1."):
            return None
        target = re.sub(r"\Ahttps?://[^/?]*", "", target, flags=re.I)
        path, _, query = target.partition("?")
        identity = auth.verify(self.tokens, head.headers.get("authorization"), method, path, query,
                               time.time() + self.clock_offset)
        matched = re.fullmatch(re.escape(self.base) + r"/v1/([A-Za-z0-9_-]{22})", path)
        fields = parse_query(query)
        if identity is None or matched is None or fields is None or method != "POST":
            return None
        return Request(identity, matched.group(1), fields["c"], fields["x"], fields["m"], fields.get("hold", 0),
                       fields.get("k", 1), fields.get("e"), head)

    async def _answer_cover(self, reader, writer, head: http1.Head) -> bool:
        body = http1.BodyReader(reader, head, False)
        keep = head.keeps_connection and not body.chunked and body.left <= 65_536
        while keep and await asyncio.wait_for(body.read(), 10.0):
            pass
        await self._cover(writer, head.first[0], keep)
        return keep

    async def _cover(self, writer: asyncio.StreamWriter, method: str, keep: bool) -> None:
        headers = {"Date": http1.http_date(self.clock_offset), "Content-Type": "text/plain",
                   "Content-Length": str(len(COVER))}
        if not keep:
            headers["Connection"] = "close"
        writer.write(http1.format_head("HTTP/1.1 404 Not Found", headers) + (b"" if method == "HEAD" else COVER))
        await writer.drain()


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
        self.session: ServerSession | None = None

    async def run(self) -> bool:
        refusal = self._refusal()
        if refusal is not None:
            return await self._answer_gone(refusal)
        if self.request.mode == "hello":
            return await self._hello()
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

    def _head(self, length: int | None, keep: bool) -> bytes:
        headers = {"Date": http1.http_date(self.server.clock_offset), "Content-Type": "application/octet-stream",
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

    async def _complete(self, body: bytes, keep: bool = True) -> bool:
        """A complete answer; with --lose-every it is not sent although everything was done for it."""
        if self.lose:
            raise http1.HttpError("answer lost on purpose")
        if self.session is not None:
            self.session.log("answer", self.request.mode, self.request.x, "body", len(body))
        keep = keep and self.request.head.keeps_connection
        self.writer.write(self._head(len(body), keep))
        await http1.BodyWriter(self.writer, False, self.server.settings.split).write(body)
        return keep

    async def _answer_gone(self, code: int) -> bool:
        """GONE at once; the rest of a request body is read and thrown away for a while, so that the answer arrives."""
        record = wire.record(0, records.clock_ms(monotonic()), wire.Farewell(code).encode(wire.GONE))
        whole = self.request.mode in ("hello", "poll", "down")
        if whole:
            await self._discard_body(10.0)
        keep = await self._complete(record, whole)
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
        wire.BodyParser(finder, False).feed(bytes(raw))
        if finder.hello is None:
            raise wire.Malformed("no HELLO in hello")
        code = self._greet(finder.hello)
        if code is not None:
            farewell = wire.Farewell(code).encode(wire.BYE)
            return await self._complete(wire.record(0, records.clock_ms(monotonic()), farewell))
        Inbound(self.session, self.exchange, False).feed(bytes(raw))
        self.session.idle_since = monotonic()
        return await self._complete(self._welcome())

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
        return await self._complete(await self._hold_answer())

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
        return await self._complete(self._pull_answer(True))

    # ------------------------------------------------------------ down, duplex

    async def _down(self) -> bool:
        await self._discard_body(INCOMING_SILENCE)
        watching = asyncio.create_task(self.reader.read(1))
        return await self._stream(watching)

    async def _duplex(self) -> bool:
        incoming = asyncio.create_task(self._read_then_watch())
        return await self._stream(incoming)

    async def _read_then_watch(self) -> None:
        """The end of the request body means nothing more than that (section 3): the answer goes on."""
        await self._apply_body()
        await self.reader.read(1)

    async def _stream(self, incoming: asyncio.Task) -> bool:
        """Write the answer until it is replaced, the session ends, or the incoming side fails."""
        session = self.session
        session.streams[self.request.carrier] = self.exchange
        session.kick()
        dying = monotonic() + random.uniform(0.3, 0.8) if self.lose else None
        self.writer.write(self._head(None, self.request.mode == "down"))
        out = http1.BodyWriter(self.writer, not self.request.head.is_old, self.server.settings.split)
        await out.write(wire.pad())
        try:
            with Waker(session) as waker:
                incoming.add_done_callback(lambda _: waker.event.set())
                await self._stream_records(out, waker, incoming, dying)
            await out.end()
            if not incoming.done() and self.request.mode == "duplex":
                await asyncio.wait([incoming], timeout=1.0)   # let the helper end its body
        finally:
            if session.streams.get(self.request.carrier) is self.exchange:
                del session.streams[self.request.carrier]
            incoming.cancel()
            await asyncio.gather(incoming, return_exceptions=True)
        return self.request.mode == "down" and self.request.head.keeps_connection and not self.request.head.is_old

    async def _stream_records(self, out: http1.BodyWriter, waker: Waker, incoming: asyncio.Task,
                              dying: float | None) -> None:
        session, sent_at = self.session, monotonic()
        silence = session.keepalive * 0.9
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
                await out.write(record)
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


def make_tls(cert: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
