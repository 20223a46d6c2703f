"""One session of the helper: requests, its life, its channels (PROTOCOL.md, sections 2 and 5)."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import sys
import time
from typing import TYPE_CHECKING

import auth
import http1
import wire
from helper_carriers import RUNGS
from helper_link import EXCHANGE_ERRORS, HEAD_WAIT, Link
from records import Exchange, monotonic
from session import Session
from streams import DatagramChannel, StreamChannel

if TYPE_CHECKING:
    from helper import Flow, Helper


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

    def sign(self, exchange: Exchange, method: str, extra: str = "") -> tuple[str, str]:
        """Sections 2.1 and 2.2: the target of a new exchange and its Authorization."""
        helper = self.helper
        exchange.x, self.next_x = self.next_x, self.next_x + 1
        path = f"{helper.base}/v1/{self.sid}"
        query = f"c={exchange.carrier}&x={exchange.x}&m={exchange.mode}{extra}"
        if exchange.mode != "hello":
            query += f"&e={self.epoch:016x}"
        seconds = int(time.time() + helper.clock_offset)
        return f"{path}?{query}", auth.authorization(helper.name, helper.token, method, path, query, seconds)

    def request_head(self, exchange: Exchange, extra: str, length: int | None) -> bytes:
        target, authorization = self.sign(exchange, "POST", extra)
        headers = {
            "Host": self.helper.authority,
            "Authorization": authorization,
            "Content-Type": "application/octet-stream",
        }
        if length is None:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(length)
        return http1.format_head(f"POST {target} HTTP/1.1", headers)

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
        channel.parameters = {wire.P_INDEX: index, wire.P_DEADLINE: self.settings.deadline, wire.P_REDUNDANCY: 0,
                              wire.P_AUDIO_TYPES: b"\x00\x08\x6f", wire.P_VIDEO_TYPES: b"\x60"}
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
