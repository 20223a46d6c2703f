"""One session of the server: its life, its channels and their targets (PROTOCOL.md, sections 5 and 6)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import http1
import records
import wire
from pump import Pump, UdpSocket
from records import Exchange, monotonic
from session import Session
from streams import DatagramChannel, StreamChannel

if TYPE_CHECKING:
    from server import Server

EXPIRY_WITH_CHANNELS, EXPIRY_EMPTY = 330.0, 45.0


@dataclass
class Service:
    """One --service: name, kind and the range of target ports."""
    kind: int
    host: str
    first: int
    last: int


class HeldPoll:
    """A poll whose answer waits (section 3)."""

    def __init__(self):
        self.release = False


class ServerSession(Session):
    """One session of one identity."""

    is_server = True

    def __init__(self, server: Server, identity: str, sid: str):
        super().__init__(server.settings)
        self.server = server
        self.key = (identity, sid)
        self.greeted = False
        self.features = 0
        self.probed: OrderedDict[int, int] = OrderedDict()     # how often a probe's x has come
        self.probes = 0                                        # being answered
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
            self.features = hello.features & wire.FEATURE_PROBES
            self.set_peer_limits(hello.parameters)
            self.keepalive = hello.parameters.get(wire.P_KEEPALIVE, 8_000) / 1000

    def welcome(self) -> bytes:
        return wire.Welcome(1, self.features, self.server.node, self.server.epoch,
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
