"""The peer as helper: local sockets, sessions, carriers of the four rungs (PROTOCOL.md, sections 2, 3 and 5)."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import ssl
import sys
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import auth
import http1
import wire
from pump import Pump, UdpSocket, reset_connection
from records import monotonic
from session import Exchange, Inbound, Session, Settings, Waker
from streams import DatagramChannel, StreamChannel

POLL_BODY = 128 * 1024     # what we put into one poll at most
UP_IDLE, UP_LIFE = 4.0, 15.0   # section 3: an idle `up` body is ended within 8 s
HEAD_WAIT = 15.0
EXCHANGE_ERRORS = (OSError, http1.HttpError, wire.Malformed, wire.NotCulvertd, asyncio.TimeoutError)


@dataclass
class Options:
    """The command line of the helper."""
    server: str
    cafile: str
    token_file: str
    rung: str
    settings: Settings
    hold: int = 20_000
    held: int = 2          # k
    carriers: int = 1
    prove: bool = False    # two MARKs on every carrier (4.5)


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


class HelperSession(Session):
    """One session: HELLO, then carriers until GONE, BYE or the end."""

    def __init__(self, helper: Helper):
        super().__init__(helper.options.settings)
        self.helper = helper
        self.sid = base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode()
        self.next_x = 0
        self.epoch: int | None = None
        self.max_hold = 60_000
        self.next_id = 2
        self.corrected = False
        self.going_away = False
        self.seen: set[tuple[int, int]] = set()
        self.tasks: list[asyncio.Task] = []

    # ------------------------------------------------------------ requests

    def exchange(self, carrier: int, mode: str) -> Exchange:
        """Its x is given when its request is written, so that x rises as requests go out."""
        return Exchange(carrier, -1, mode)

    def request_head(self, exchange: Exchange, extra: str, length: int | None) -> bytes:
        """Sections 2.1 and 2.2."""
        helper = self.helper
        exchange.x, self.next_x = self.next_x, self.next_x + 1
        path = f"{helper.base}/v1/{self.sid}"
        query = f"c={exchange.carrier}&x={exchange.x}&m={exchange.mode}{extra}"
        if exchange.mode != "hello":
            query += f"&e={self.epoch:016x}"
        seconds = int(time.time() + helper.clock_offset)
        headers = {
            "Host": helper.authority,
            "Authorization": auth.authorization(helper.name, helper.token, "POST", path, query, seconds),
            "Content-Type": "application/octet-stream",
        }
        if length is None:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(length)
        return http1.format_head(f"POST {path}?{query} HTTP/1.1", headers)

    def correct_clock(self, error: wire.NotCulvertd) -> bool:
        """Once per session, by the Date of an answer that is not from culvertd (2.2)."""
        seconds = http1.seconds_of_date(error.date)
        if self.corrected or seconds is None or abs(seconds - (time.time() + self.helper.clock_offset)) <= 60:
            return False
        self.corrected = True
        self.helper.clock_offset = seconds - time.time()
        self.log("clock corrected by", self.helper.clock_offset)
        return True

    def check_alive(self) -> None:
        if self.ended:
            raise http1.HttpError("the session has ended")

    def failure(self, exchange: Exchange, error: BaseException) -> None:
        self.log(f"{exchange.mode} x={exchange.x} failed:", repr(error))
        self.exchange_is_over(exchange, True)
        if isinstance(error, wire.NotCulvertd):
            self.correct_clock(error)

    # ------------------------------------------------------------ the life of a session

    async def run(self) -> None:
        """Say HELLO until there is an answer, then run the carriers until the session ends."""
        ticks = asyncio.create_task(self.run_ticks())
        try:
            delay = 0.1
            while not await self.say_hello():
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))
                delay = min(delay * 2, 5.0)
            if self.ended:
                return
            self.helper.on_welcome(self)
            self.tasks = [asyncio.create_task(work) for work in self.carrier_work()]
            await asyncio.gather(*self.tasks)
        finally:
            for task in [ticks, *self.tasks]:
                task.cancel()
            await asyncio.gather(ticks, *self.tasks, return_exceptions=True)

    async def say_hello(self) -> bool:
        """True when the session has begun or ended."""
        parameters = {**self.own_parameters(), wire.P_KEEPALIVE: self.settings.keepalive}
        exchange, link = self.exchange(0, "hello"), Link(self)
        hello = wire.Hello(1, 1, 0, parameters).encode()
        carrier = self.carrier(0)
        body = wire.record(carrier.next_record, int(monotonic() * 1000), hello)
        carrier.next_record += 1
        try:
            writer = await link.start(exchange, length=len(body))
            await writer.write(body)
            await link.answer(exchange, HEAD_WAIT, HEAD_WAIT)
        except EXCHANGE_ERRORS as error:
            self.failure(exchange, error)
        finally:
            link.close()
        return self.epoch is not None or self.ended

    def carrier_work(self):
        for number in range(self.helper.options.carriers):
            if self.helper.options.prove:
                for n in (0, 1):
                    self.mark(number, 7, n, bytes(range(200)))
            yield from RUNGS[self.helper.options.rung](self, number)

    async def stop(self) -> None:
        """BYE in a poll with hold=0 (section 5)."""
        if self.epoch is None or self.ended:
            return
        exchange, link = self.exchange(0, "poll"), Link(self)
        carrier = self.carrier(0)
        bye = wire.Farewell(wire.SHUTDOWN).encode(wire.BYE)
        body = wire.record(carrier.next_record, int(monotonic() * 1000), bye)
        carrier.next_record += 1
        try:
            await (await link.start(exchange, "&hold=0", len(body))).write(body)
            await link.answer(exchange, 5.0, 5.0)
        except EXCHANGE_ERRORS as error:
            self.failure(exchange, error)
        finally:
            link.close()
            self.ended = True

    # ------------------------------------------------------------ capsules that only a helper gets

    def _on_welcome(self, value: bytes, context) -> None:
        welcome = wire.Welcome.decode(value)
        if context.exchange.mode != "hello" or self.epoch is not None:
            return
        if welcome.version != 1 or welcome.features != 0:
            raise wire.Malformed("WELCOME with what HELLO did not offer")
        self.set_peer_limits(welcome.parameters)
        self.max_hold = welcome.parameters.get(wire.P_MAX_HOLD, 60_000)
        self.epoch = welcome.epoch

    def _on_farewell(self, value: bytes, context) -> None:
        farewell = wire.Farewell.decode(value)
        print(f"peer: session over: code {farewell.code}", file=sys.stderr, flush=True)
        self.ended = True
        self.helper.on_session_over(self, farewell)

    def _on_goaway(self, value: bytes, context) -> None:
        farewell = wire.Farewell.decode(value)
        if not self.going_away:
            self.going_away = True
            self.helper.on_goaway(self, farewell.delay / 1000)

    def _on_opened(self, value: bytes, context) -> None:
        opened = wire.Opened.decode(value)
        channel = self.channels.get(opened.channel)
        if channel is None or channel.opened:
            return
        channel.opened = True
        if channel.kind == wire.KIND_DATAGRAM:
            channel.deadline = opened.parameters.get(wire.P_DEADLINE, channel.deadline)
            channel.idle = opened.parameters.get(wire.P_IDLE, int(channel.idle * 1000)) / 1000
        else:
            limit = opened.parameters.get(wire.P_THIS_WINDOW, 0)
            channel.send.limit = max(channel.send.limit, limit)   # a limit never falls (6.2)
        self.kick()

    def _on_refused(self, value: bytes, context) -> None:
        refused = wire.Refused.decode(value)
        channel = self.channels.get(refused.channel)
        if channel is None:
            return
        print(f"peer: channel {refused.channel} refused: code {refused.code} {refused.sentence}",
              file=sys.stderr, flush=True)
        self._drop_channel(channel, refused.code)

    def _drop_channel(self, channel: StreamChannel | DatagramChannel, code: int) -> None:
        if channel.kind == wire.KIND_STREAM:
            channel.lost_code = code
            channel.changed.set()
        self._end_channel(channel)

    HANDLERS = {**Session.HANDLERS, wire.WELCOME: _on_welcome, wire.GONE: _on_farewell, wire.BYE: _on_farewell,
                wire.GOAWAY: _on_goaway, wire.OPENED: _on_opened, wire.REFUSED: _on_refused}

    # ------------------------------------------------------------ channels

    def take_id(self) -> int:
        self.next_id += 2
        return self.next_id - 2

    def open_datagram(self, service: str, index: int, user: Flow) -> DatagramChannel:
        channel = DatagramChannel(self.take_id(), service, self.settings.deadline)
        channel.parameters = {wire.P_INDEX: index, wire.P_DEADLINE: self.settings.deadline}
        channel.user = user
        self.pending[("open", channel.ident)] = None
        self.add_channel(channel)
        return channel

    def open_stream(self, service: str) -> StreamChannel:
        channel = StreamChannel(self, self.take_id(), service, self.peer_channel_window, self.settings.channel_window)
        self.pending[("open", channel.ident)] = None
        self.add_channel(channel)
        return channel

    def on_datagram(self, channel: DatagramChannel, payload: bytes) -> None:
        channel.user.deliver(payload)

    def on_channel_ended(self, channel: StreamChannel | DatagramChannel) -> None:
        if channel.kind == wire.KIND_DATAGRAM:
            channel.user.channel = None
        elif channel.send.state.name != "DONE" and channel.lost_code is None:
            self.log("channel", channel.ident, "ended early")
        self.leave_if_unused()

    def leave_if_unused(self) -> None:
        """After GOAWAY: once another session has taken over and nothing is left here."""
        if self.going_away and not self.channels and self.helper.ready_session is not self:
            self.helper.spawn(self.stop())

    def on_seen(self, seen: wire.Seen, carrier: int) -> None:
        self.seen.add((carrier, seen.n))
        print(f"seen carrier={carrier} n={seen.n} intact={seen.intact}", file=sys.stderr, flush=True)

    def lose_channels(self) -> None:
        """The session is over: stream channels are reset (SESSION_LOST)."""
        for channel in list(self.channels.values()):
            self._drop_channel(channel, wire.SESSION_LOST)


# ---------------------------------------------------------------- carriers (section 3)

class Backoff:
    def __init__(self):
        self.delay = 0.05

    def reset(self) -> None:
        self.delay = 0.05

    async def sleep(self) -> None:
        await asyncio.sleep(self.delay * random.uniform(0.5, 1.0))
        self.delay = min(self.delay * 2, 5.0)


class Polls:
    """The polls of one carrier: k of them held, and one connection more for what is to be sent at once."""

    def __init__(self, session: HelperSession, number: int, holds: bool):
        self.session = session
        self.number = number
        self.hold = min(session.helper.options.hold, session.max_hold) if holds else 0
        self.held = session.helper.options.held if holds else 0
        self.in_flight = 0

    def work(self):
        for _ in range(self.held + 1):
            yield self.run_one()

    async def run_one(self) -> None:
        link, backoff = Link(self.session), Backoff()
        try:
            with Waker(self.session) as waker:
                while not self.session.ended:
                    await self._next(link, waker, backoff)
        finally:
            link.close()

    async def _next(self, link: Link, waker: Waker, backoff: Backoff) -> None:
        exchange = self.session.exchange(self.number, "poll")
        body = self._body(exchange)
        if not body and self.in_flight >= self.held:
            await waker.wait(1.0)
            return
        self.in_flight += 1
        try:
            await self._run(link, exchange, body)
            backoff.reset()
        except EXCHANGE_ERRORS as error:
            link.close()
            self.session.failure(exchange, error)
            await backoff.sleep()
        finally:
            self.in_flight -= 1

    def _body(self, exchange: Exchange) -> bytes:
        body = bytearray()
        while len(body) < POLL_BODY:
            record = self.session.pull(self.number, exchange)
            if not record:
                break
            body += record
        return bytes(body)

    async def _run(self, link: Link, exchange: Exchange, body: bytes) -> None:
        extra = f"&hold={self.hold}&k={max(1, self.held)}" if self.hold else ""
        writer = await link.start(exchange, extra, len(body))
        await writer.write(body)
        round_trip = self.session.carrier(self.number).round_trip.smoothed or 1.0
        await link.answer(exchange, self.hold / 1000 + 2 * round_trip + 5.0, 15.0)
        self.session.exchange_is_over(exchange, False)


class StreamedAnswer:
    """`down` and `duplex`: what they have in common."""

    def __init__(self, session: HelperSession, number: int, mode: str):
        self.session = session
        self.number = number
        self.mode = mode
        self.silence = 1.5 * session.settings.keepalive / 1000   # section 3

    def work(self):
        yield self.run()

    async def run(self) -> None:
        backoff = Backoff()
        while not self.session.ended:
            exchange, link = self.session.exchange(self.number, self.mode), Link(self.session)
            begun = monotonic()
            try:
                await self._run(link, exchange)
                self.session.exchange_is_over(exchange, False)
            except EXCHANGE_ERRORS as error:
                self.session.failure(exchange, error)
            finally:
                link.close()
            if monotonic() - begun > 5.0:
                backoff.reset()
            if not self.session.ended:
                await backoff.sleep()

    async def _run(self, link: Link, exchange: Exchange) -> None:
        if self.mode == "down":
            await link.start(exchange, length=0)
            await self._read(link, exchange)
            return
        writer = await link.start(exchange)
        writing = asyncio.create_task(self._write(writer, exchange))
        try:
            await self._read(link, exchange)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _read(self, link: Link, exchange: Exchange) -> None:
        if self.session.helper.loses(exchange):
            link_abort = asyncio.get_running_loop().call_later(random.uniform(0.3, 0.8), link.close)
            exchange.lost_on_purpose = False
        else:
            link_abort = None
        try:
            await link.answer(exchange, HEAD_WAIT, self.silence)
        finally:
            if link_abort:
                link_abort.cancel()

    async def _write(self, writer: http1.BodyWriter, exchange: Exchange) -> None:
        keepalive, sent_at = self.session.settings.keepalive / 1000, monotonic()
        with Waker(self.session) as waker:
            while not self.session.ended:
                record = self.session.pull(self.number, exchange)
                if record:
                    await writer.write(record)
                    sent_at = monotonic()
                    continue
                await waker.wait(max(0.01, sent_at + keepalive - monotonic()))
                if monotonic() - sent_at >= keepalive:
                    self.session.ping(self.number, exchange.x)


class Ups:
    """`up` exchanges of one carrier, one after the other."""

    def __init__(self, session: HelperSession, number: int):
        self.session = session
        self.number = number

    def work(self):
        yield self.run()

    async def run(self) -> None:
        link, backoff = Link(self.session), Backoff()
        try:
            with Waker(self.session) as waker:
                while not self.session.ended:
                    exchange = self.session.exchange(self.number, "up")
                    record = self.session.pull(self.number, exchange)
                    if not record:
                        await waker.wait(1.0)
                        continue
                    await self._attempt(link, exchange, record, waker, backoff)
        finally:
            link.close()

    async def _attempt(self, link: Link, exchange: Exchange, record: bytes, waker: Waker, backoff: Backoff) -> None:
        try:
            await self._run(link, exchange, record, waker)
            backoff.reset()
        except EXCHANGE_ERRORS as error:
            link.close()
            self.session.failure(exchange, error)
            await backoff.sleep()

    async def _run(self, link: Link, exchange: Exchange, record: bytes, waker: Waker) -> None:
        writer = await link.start(exchange)
        answer = asyncio.create_task(link.answer(exchange, UP_LIFE + HEAD_WAIT, HEAD_WAIT))
        try:
            await self._write(writer, exchange, record, waker, answer)
            await answer
            self.session.exchange_is_over(exchange, False)
        finally:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)

    async def _write(self, writer: http1.BodyWriter, exchange: Exchange, record: bytes, waker: Waker,
                     answer: asyncio.Task) -> None:
        begun = written = monotonic()
        while not answer.done() and not self.session.ended:
            if record:
                await writer.write(record)
                written = monotonic()
            elif monotonic() - written > UP_IDLE or monotonic() - begun > UP_LIFE:
                break
            else:
                await waker.wait(0.5)
            record = b"" if monotonic() - begun > UP_LIFE else self.session.pull(self.number, exchange)
        await writer.end()


RUNGS = {
    "duplex": lambda session, n: StreamedAnswer(session, n, "duplex").work(),
    "split": lambda session, n: [*Ups(session, n).work(), *StreamedAnswer(session, n, "down").work()],
    "push": lambda session, n: [*Polls(session, n, False).work(), *StreamedAnswer(session, n, "down").work()],
    "poll": lambda session, n: Polls(session, n, True).work(),
}


# ---------------------------------------------------------------- local sockets

class Flow:
    """One local UDP 5-tuple; it outlives sessions."""

    def __init__(self, listener: UdpListener, address: tuple):
        self.listener = listener
        self.address = address
        self.session: HelperSession | None = None
        self.channel: DatagramChannel | None = None

    def deliver(self, payload: bytes) -> None:
        self.listener.socket.send(payload, self.address)

    def send(self, payload: bytes, session: HelperSession | None) -> None:
        if self.channel is None and session is not None:
            self.reopen(session)
        if self.channel is not None:
            self.session.send_datagram(self.channel, payload)

    def reopen(self, session: HelperSession) -> None:
        self.session = session
        self.channel = session.open_datagram(self.listener.service, self.listener.index, self)


class UdpListener:
    def __init__(self, helper: Helper, port: int, service: str, index: int):
        self.helper = helper
        self.service = service
        self.index = index
        self.flows: dict[tuple, Flow] = {}
        self.socket = UdpSocket(self.on_datagram, local=("127.0.0.1", port))

    def on_datagram(self, payload: bytes, address: tuple) -> None:
        flow = self.flows.get(address)
        if flow is None:
            flow = self.flows[address] = Flow(self, address)
        flow.send(payload, self.helper.ready_session)


class Helper:
    """Listeners and the session behind them; a lost session is replaced by a new one (section 5)."""

    def __init__(self, options: Options, udp: list[tuple[int, str, int]], tcp: list[tuple[int, str]]):
        self.options = options
        url = urlsplit(options.server)
        if url.scheme != "https" or not url.hostname:
            raise ValueError("--server must be an https URL")
        self.host, self.port = url.hostname, url.port or 443
        self.authority, self.base = url.netloc, url.path.rstrip("/")
        self.name, tokens = next(iter(auth.read_token_file(options.token_file).items()))
        self.token = tokens[0]
        self.tls = ssl.create_default_context(cafile=options.cafile)
        self.udp, self.tcp = udp, tcp
        self.clock_offset = 0.0
        self.answers = 0
        self.ready_session: HelperSession | None = None
        self.welcomed = asyncio.Event()
        self.listeners: list[UdpListener] = []
        self.lines: list[str] = []
        self.sessions: dict[HelperSession, asyncio.Task] = {}
        self.background: set[asyncio.Task] = set()
        self.stopping = asyncio.Event()

    def loses(self, exchange: Exchange) -> bool:
        """--lose-every N: every Nth exchange; asked as often as one likes for the same exchange."""
        if not hasattr(exchange, "lost_on_purpose"):
            self.answers += 1
            every = self.options.settings.lose_every
            exchange.lost_on_purpose = bool(every) and self.answers % every == 0
        return exchange.lost_on_purpose

    async def run(self) -> None:
        await self._listen()
        self.start_session()
        await self.stopping.wait()
        await asyncio.gather(*(session.stop() for session in list(self.sessions)))
        for task in list(self.background):
            task.cancel()
        await asyncio.gather(*self.background, return_exceptions=True)

    async def _listen(self) -> None:
        for port, service, index in self.udp:
            listener = UdpListener(self, port, service, index)
            self.listeners.append(listener)
            self.lines.append(f"ready udp 127.0.0.1:{listener.socket.port} {service}")
        for port, service in self.tcp:
            server = await asyncio.start_server(
                lambda reader, writer, service=service: self._accept(service, reader, writer), "127.0.0.1", port)
            self.lines.append(f"ready tcp 127.0.0.1:{server.sockets[0].getsockname()[1]} {service}")

    async def _accept(self, service: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.wait_for(self.welcomed.wait(), 10.0)
        except asyncio.TimeoutError:
            reset_connection(writer)
            return
        session = self.ready_session
        await Pump(session, session.open_stream(service), reader, writer).run()

    def spawn(self, work) -> asyncio.Task:
        task = asyncio.get_running_loop().create_task(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return task

    def start_session(self) -> None:
        session = HelperSession(self)
        self.sessions[session] = self.spawn(session.run())

    def on_welcome(self, session: HelperSession) -> None:
        self.ready_session = session
        self.welcomed.set()
        for other in list(self.sessions):
            other.leave_if_unused()
        for line in self.lines:
            print(line, flush=True)
        self.lines.clear()
        for listener in self.listeners:
            for flow in listener.flows.values():
                if flow.channel is None and flow.session is not None:
                    flow.reopen(session)

    def on_session_over(self, session: HelperSession, farewell: wire.Farewell) -> None:
        """GONE or BYE: a new session with a new sid."""
        lost = [flow for listener in self.listeners for flow in listener.flows.values()
                if flow.channel is not None and flow.session is session]
        session.lose_channels()
        session.kick()
        self.sessions.pop(session, None)
        if session.going_away or self.stopping.is_set():
            for flow in lost:
                if self.ready_session not in (None, session):
                    flow.reopen(self.ready_session)
            return
        self.ready_session = None
        self.welcomed.clear()
        if farewell.code == wire.VERSION:
            print("peer: no version in common", file=sys.stderr, flush=True)
            self.stopping.set()
            return
        asyncio.get_running_loop().call_later(max(0.2, min(farewell.delay / 1000, 60)), self.start_session)

    def on_goaway(self, session: HelperSession, delay: float) -> None:
        """New channels go to a new session; the old one goes on for the old ones."""
        asyncio.get_running_loop().call_later(min(delay, 60), self.start_session)
