"""A session as both ends see it: state, reliability, channels, limits (PROTOCOL.md, sections 4 to 6).

Transports (helper_*.py, server_*.py) ask pull() of outgoing.py for the next record of a carrier and feed what they
read to an Inbound of incoming.py.
"""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict, deque
from dataclasses import dataclass

import records
import wire
from incoming import EXACT_IDS, Incoming, RecordContext
from outgoing import Outgoing
from records import Carrier, Exchange, SentRecord, monotonic
from streams import ACK_DELAY, DatagramChannel, StreamChannel

DATAGRAM_QUEUE = 2_048
CARRIERS_MAX = 64
TICK = 0.02


@dataclass
class Settings:
    """What this end asks for, and how it misbehaves."""
    channels: int = 64
    session_window: int = 1_048_576
    channel_window: int = 262_144
    keepalive: int = 8_000
    deadline: int = 2_000      # asked for in every OPEN; section 5 gives no number for "by class"
    split: int = 0
    lose_every: int = 0
    shuffle: bool = False
    verbose: bool = False


class Session(Outgoing, Incoming):
    """What helper and server have in common; subclasses give the hooks at the end."""

    is_server = False

    def __init__(self, settings: Settings):
        self.settings = settings
        self.carriers: OrderedDict[int, Carrier] = OrderedDict()
        self.waiters: dict[asyncio.Event, None] = {}
        self.ended = False
        # Sending.
        self.pending: OrderedDict[tuple, None] = OrderedDict()       # reliable state to be sent (4.2)
        self.segments: list[tuple[int, int, bytes, bool]] = []       # --shuffle: segments cut in advance
        self.one_shots: deque[tuple[int, bytes, bool, bool]] = deque()
        self.datagrams: deque[tuple[DatagramChannel, int, float, bytes]] = deque()
        self.sent = 0               # sum of the highest offsets sent
        self.send_limit = 0         # the peer's session window, absolute
        self.open_limit = 0         # channels that we may have opened in total
        # Receiving.
        self.received = 0           # sum of the highest offsets received
        self.consumed = 0
        self.receive_limit = settings.session_window
        self.announced_limit = settings.session_window
        self.channels_limit = settings.channels
        self.channels_ended = 0
        # Channels.
        self.channels: dict[int, StreamChannel | DatagramChannel] = {}
        self.lingering: OrderedDict[int, StreamChannel | DatagramChannel] = OrderedDict()
        self.refusals: OrderedDict[int, tuple[int, str]] = OrderedDict()
        self.known_ids: set[int] = set()
        self.newest_id = 0
        self.early: dict[int, list[tuple[float, int, bytes, RecordContext]]] = {}
        self.early_octets = 0

    def log(self, *words: object) -> None:
        if self.settings.verbose:
            print(f"peer: {monotonic() % 1000:.3f}", *words, file=sys.stderr, flush=True)

    def set_peer_limits(self, parameters: dict) -> None:
        """HELLO's or WELCOME's parameters, with the defaults of section 5."""
        self.open_limit = parameters.get(wire.P_CHANNELS, 64)
        self.send_limit = parameters.get(wire.P_SESSION_WINDOW, 1_048_576)
        self.peer_channel_window = parameters.get(wire.P_CHANNEL_WINDOW, 262_144)

    def own_parameters(self) -> dict[int, wire.Parameter]:
        return {wire.P_CHANNELS: self.settings.channels, wire.P_SESSION_WINDOW: self.settings.session_window,
                wire.P_CHANNEL_WINDOW: self.settings.channel_window, wire.P_SOFTWARE: "culvert_peer.py 1"}

    # ------------------------------------------------------------ waking transports

    def kick(self) -> None:
        for event in list(self.waiters):
            event.set()

    async def run_ticks(self) -> None:
        while not self.ended:
            await asyncio.sleep(TICK)
            self.tick(monotonic())

    def tick(self, now: float) -> None:
        for carrier in self.carriers.values():
            for record in carrier.take_overdue(now):
                self.on_lost(record)
        for channel in list(self.channels.values()):
            if channel.kind == wire.KIND_STREAM:
                self._ack_if_due(channel, now)
            elif channel.idle and now - channel.used_at > channel.idle:
                self.log("channel", channel.ident, "is idle")
                self.close_datagram_channel(channel, wire.IDLE)
        self.kick()

    # ------------------------------------------------------------ carriers and receipts

    def carrier(self, number: int) -> Carrier:
        carrier = self.carriers.get(number)
        if carrier is None:
            carrier = self.carriers[number] = Carrier(number)
            if len(self.carriers) > CARRIERS_MAX:
                self.end_carrier(next(iter(self.carriers)))
        return carrier

    def end_carrier(self, number: int) -> None:
        for record in self.carriers.pop(number).sent.values():
            self.on_lost(record)

    def settle(self, context: RecordContext) -> None:
        """Receipt a record that is complete, unless something in it was refused for lack of room."""
        if context.accountable and not context.refused:
            context.carrier.owe_receipt(context.number, monotonic())
            context.exchange.owes_receipt = True

    def receipt_is_due(self, now: float) -> bool:
        return any(c.owed_since is not None and now - c.owed_since >= records.RECEIPT_DELAY
                   for c in self.carriers.values())

    def on_lost(self, record: SentRecord) -> None:
        """Section 4.2: what is lost is sent again as its current state."""
        for item in record.items:
            if item[0] == "stream":
                self._stream_lost(*item[1:])
            else:
                self.pending[item] = None

    def _stream_lost(self, ident: int, start: int, end: int, fin: bool) -> None:
        channel = self.channels.get(ident)
        if channel is not None and channel.send.on_lost(start, end, fin):
            self.log("lost: channel", ident, "bytes", start, end, "fin" if fin else "")

    def exchange_is_over(self, exchange: Exchange, failed: bool) -> None:
        """At the helper both kinds of end lose what is not receipted; at the server only failure does (4.2)."""
        exchange.failed |= failed
        if self.is_server and not failed:
            return
        self._lose_exchanges(lambda other: other is exchange)

    def lose_answers_of(self, x: int) -> None:
        """The same x came again at the server: its answer did not reach the helper (4.2)."""
        self._lose_exchanges(lambda other: other.x == x)

    def _lose_exchanges(self, matches) -> None:
        for carrier in self.carriers.values():
            for record in carrier.take_of_exchange(matches):
                self.on_lost(record)
        self.kick()

    # ------------------------------------------------------------ channels

    def add_channel(self, channel: StreamChannel | DatagramChannel) -> None:
        self.channels[channel.ident] = channel
        self.remember_id(channel.ident)
        self._release_early(channel.ident)
        self.kick()

    def _end_channel(self, channel: StreamChannel | DatagramChannel) -> None:
        """Section 6: the channel is no more, but what must still be told about it is remembered."""
        if self.channels.pop(channel.ident, None) is None:
            return
        self.lingering[channel.ident] = channel
        if len(self.lingering) > EXACT_IDS:
            self.lingering.popitem(last=False)
        self.channels_ended += 1
        if self.is_server:
            self.channels_limit = self.settings.channels + self.channels_ended
            if self.channels_ended % max(1, self.settings.channels // 4) == 0:
                self.pending[("window",)] = None
        self.on_channel_ended(channel)
        self.kick()

    def send_datagram(self, channel: DatagramChannel, payload: bytes) -> None:
        if len(payload) > wire.PAYLOAD_MAX or len(self.datagrams) >= DATAGRAM_QUEUE:
            return
        channel.used_at = monotonic()
        self.datagrams.append((channel, channel.next_sequence, monotonic(), payload))
        channel.next_sequence += 1
        self.kick()

    def close_datagram_channel(self, channel: DatagramChannel, code: int) -> None:
        channel.close_code = code
        self.pending[("close", channel.ident)] = None
        self._end_channel(channel)

    def reset_stream(self, channel: StreamChannel, code: int) -> None:
        """Stop sending, unless everything was sent already (6.2)."""
        if channel.send.state.name == "OPEN" and channel.send.reset(code):
            self.pending[("reset", channel.ident)] = None
            channel.changed.set()
            self.kick()

    def break_stream(self, channel: StreamChannel, code: int) -> None:
        """The local side is gone, or the peer broke the protocol: end both directions."""
        self.reset_stream(channel, code)
        if channel.receive.state.name != "DONE" and channel.close_code is None:
            channel.close_code = code
            self.pending[("close", channel.ident)] = None
            channel.receive.discard()
        channel.changed.set()
        self._after_delivery(channel)
        self.kick()

    def delivered(self, channel: StreamChannel, count: int) -> None:
        if not channel.receive.discards:
            channel.receive.deliver(count)
            self._after_delivery(channel)

    def delivered_end(self, channel: StreamChannel) -> None:
        if channel.receive.state.name == "SIZE_KNOWN" and not channel.receive.discards:
            channel.receive.deliver_end()
            self._after_delivery(channel)

    def _after_delivery(self, channel: StreamChannel) -> None:
        receive = channel.receive
        if receive.state.name == "DONE" and not receive.end_announced:
            receive.end_announced = True
            self.pending[("ack", channel.ident)] = None
        elif receive.unannounced >= max(1, receive.window // 4):
            self.pending[("ack", channel.ident)] = None
        elif receive.unannounced and receive.ack_due is None:
            receive.ack_due = monotonic() + ACK_DELAY
        if channel.ended:
            self._end_channel(channel)
        self.kick()

    def _ack_if_due(self, channel: StreamChannel, now: float) -> None:
        if channel.receive.unannounced and channel.receive.ack_due is not None and now >= channel.receive.ack_due:
            self.pending[("ack", channel.ident)] = None

    def consume(self, count: int) -> None:
        """Bytes that no longer take room of the session window."""
        self.consumed += count
        self.receive_limit = max(self.receive_limit, self.consumed + self.settings.session_window)
        if self.receive_limit - self.announced_limit >= max(1, self.settings.session_window // 4):
            self.pending[("window",)] = None

    # ------------------------------------------------------------ hooks

    def on_datagram(self, channel: DatagramChannel, payload: bytes) -> None:
        raise NotImplementedError

    def on_channel_ended(self, channel: StreamChannel | DatagramChannel) -> None:
        pass

    def on_seen(self, seen: wire.Seen, carrier: int) -> None:
        pass

    def may_send_all(self, carrier: Carrier, exchange: Exchange) -> bool:
        """Not only MARK, SEEN, PING, PONG and RECEIPT.  A helper may trust a carrier whenever it likes (4.5)."""
        return True

    def has_streamed_answer(self, carrier: int) -> bool:
        """True at a server while a `down` or `duplex` answer of the carrier is open."""
        return False


class Waker:
    """A transport's own event, set whenever the session may have something to send."""

    def __init__(self, session: Session):
        self.session = session
        self.event = asyncio.Event()

    def __enter__(self) -> Waker:
        self.session.waiters[self.event] = None
        return self

    def __exit__(self, *_) -> None:
        del self.session.waiters[self.event]

    async def wait(self, seconds: float) -> None:
        self.event.clear()
        try:
            await asyncio.wait_for(self.event.wait(), seconds)
        except asyncio.TimeoutError:
            pass
