"""A session as both ends see it: records out, records in, reliability, limits (PROTOCOL.md, sections 4 to 6).

Transports (helper.py, server.py) ask pull() for the next record of a carrier and feed what they read to an Inbound.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import OrderedDict, deque
from dataclasses import dataclass

import records
import wire
from records import Carrier, SentRecord, monotonic
from streams import ACK_DELAY, ChannelError, DatagramChannel, NoRoom, StreamChannel

RECORD_BUDGET = 32 * 1024      # we begin nothing new in a record that is longer
RECORD_ROOM = wire.TOP_CAPSULE_MAX - 4 * 1024   # what capsules may fill; the rest is for heads and receipts
SEGMENT_MAX = 16 * 1024
EARLY_CHANNEL_MAX, EARLY_SESSION_MAX = 4_096, 65_536   # section 6.1
EXACT_IDS = 4_096              # section 6.1
DATAGRAM_QUEUE = 2_048
ONE_SHOT_QUEUE = 256
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


class Exchange:
    """One HTTP request and its response, as far as records are concerned."""

    def __init__(self, carrier: int, x: int, mode: str):
        self.carrier = carrier
        self.x = x
        self.mode = mode
        self.owes_receipt = False   # its answer must carry a RECEIPT (4.1)
        self.at_once = False        # a poll with hold=0
        self.failed = False


class Draft:
    """The capsules of a record that is being built."""

    def __init__(self, single: bool):
        self.single = single        # --shuffle: one capsule a record
        self.body = bytearray()
        self.items: list[tuple] = []
        self.datagrams: dict[int, int] = {}
        self.accountable = False
        self.has_seen = False

    @property
    def full(self) -> bool:
        return len(self.body) >= RECORD_BUDGET or (self.single and bool(self.body))

    def fits(self, octets: bytes) -> bool:
        return not self.full and len(self.body) + len(octets) <= RECORD_ROOM

    def add(self, octets: bytes, item: tuple | None = None, accountable: bool = True) -> None:
        self.body += octets
        self.accountable |= accountable
        if item is not None:
            self.items.append(item)


class RecordContext:
    """A record that is coming in."""

    def __init__(self, carrier: Carrier, number: int, duplicate: bool, lateness: int, exchange: Exchange):
        self.carrier = carrier
        self.number = number
        self.duplicate = duplicate
        self.lateness = lateness
        self.exchange = exchange
        self.accountable = False
        self.refused = False


class Inbound:
    """The sink of a BodyParser: applies the capsules of one body."""

    def __init__(self, session: Session, exchange: Exchange, is_answer: bool):
        self.session = session
        self.exchange = exchange
        self.context: RecordContext | None = None
        self.count = 0
        self.parser = wire.BodyParser(self, is_answer)

    def feed(self, data: bytes) -> None:
        try:
            self.parser.feed(data)
        finally:
            self.session.kick()

    @property
    def is_from_culvertd(self) -> bool:
        return not self.parser.expect_first

    def begin_record(self, number: int, clock: int) -> None:
        carrier = self.session.carrier(self.exchange.carrier)
        lateness = carrier.lateness.of(monotonic(), clock)
        self.context = RecordContext(carrier, number, carrier.seen.has(number), lateness, self.exchange)

    def take_capsule(self, kind: int, value: bytes) -> None:
        context = self.context
        context.accountable |= kind not in wire.UNACCOUNTABLE
        context.carrier.trusted |= kind == wire.DATAGRAM or kind not in wire.NOT_RELIABLE and kind != wire.HELLO
        self.session.apply(kind, value, context)

    def end_record(self) -> None:
        context, self.context = self.context, None
        context.carrier.seen.add(context.number)
        self.count += 1
        self.session.settle(context)


class Session:
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

    def own_parameters(self) -> dict[int, int | str]:
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

    # ------------------------------------------------------------ building records

    def pull(self, number: int, exchange: Exchange, force: bool = False) -> bytes:
        """The next record for a carrier, or nothing.  Owed receipts ride along; alone they wait until they are due."""
        now, carrier = monotonic(), self.carrier(number)
        draft = Draft(self.settings.shuffle)
        sources = [self._pull_one_shots]
        if self.may_send_all(carrier, exchange):
            sources += [self._pull_pending, self._pull_datagrams, self._pull_streams]
        if self.settings.shuffle:
            random.shuffle(sources)
        for source in sources:
            source(draft, carrier, exchange)
        if not (draft.body or force or self.receipt_is_due(now)):
            return b""
        self._add_receipts(draft, carrier, exchange, now)
        return self._seal(draft, carrier, exchange, now)

    def _add_receipts(self, draft: Draft, carrier: Carrier, exchange: Exchange, now: float) -> None:
        for other in self.carriers.values():
            forced = other is carrier and exchange.owes_receipt and self.is_server
            if (other.owed_since is not None or forced) and other.received.ranges:
                receipt = other.receipt(now)
                if len(draft.body) + len(receipt) < wire.TOP_CAPSULE_MAX - 64:
                    draft.add(receipt, accountable=False)
        exchange.owes_receipt = False

    @staticmethod
    def _seal(draft: Draft, carrier: Carrier, exchange: Exchange, now: float) -> bytes:
        number = carrier.next_record
        carrier.next_record += 1
        if draft.accountable:
            carrier.sent[number] = SentRecord(number, now, exchange, draft.items, draft.datagrams, draft.has_seen)
        return wire.record(number, records.clock_ms(now), bytes(draft.body))

    def _pull_one_shots(self, draft: Draft, carrier: Carrier, exchange: Exchange) -> None:
        kept = []
        while self.one_shots:
            shot = self.one_shots.popleft()
            if self._may_shoot(shot, carrier, exchange) and draft.fits(shot[1]):
                draft.add(shot[1], accountable=shot[2])
                draft.has_seen |= shot[3]
            else:
                kept.append(shot)
        self.one_shots.extend(kept)

    def _pull_pending(self, draft: Draft, carrier: Carrier, exchange: Exchange) -> None:
        keys = list(self.pending)
        if self.settings.shuffle:
            random.shuffle(keys)
        for key in keys:
            if draft.full:
                return
            if key[0] == "open" and self._open_must_wait(key[1]):
                continue
            octets = self._encode_state(*key)
            if octets is None or draft.fits(octets):
                del self.pending[key]
            if octets is not None and draft.fits(octets):
                draft.add(octets, key)

    def _open_must_wait(self, ident: int) -> bool:
        return ident // 2 > self.open_limit   # helper's ids are 2, 4, 6, ...

    def _encode_state(self, what: str, ident: int = 0) -> bytes | None:
        """The current state for a key of `pending`; None if it does not matter any more (4.2)."""
        channel = self.channels.get(ident) or self.lingering.get(ident)
        if what == "window":
            self.announced_limit = self.receive_limit
            return wire.Window(self.receive_limit, self.channels_limit).encode()
        if what == "refused":
            return wire.Refused(ident, *self.refusals[ident]).encode() if ident in self.refusals else None
        if what == "goaway":
            return wire.Farewell(wire.SHUTDOWN, 0).encode(wire.GOAWAY)
        return getattr(self, f"_encode_{what}")(channel) if channel is not None else None

    @staticmethod
    def _encode_open(channel) -> bytes | None:
        if channel.opened or channel.close_code is not None and channel.kind == wire.KIND_DATAGRAM:
            return None
        channel.open_sent = True
        return wire.Open(channel.ident, channel.kind, channel.target, channel.parameters).encode()

    @staticmethod
    def _encode_opened(channel) -> bytes | None:
        return wire.Opened(channel.ident, channel.parameters).encode()

    @staticmethod
    def _encode_ack(channel) -> bytes | None:
        receive = channel.receive
        receive.unannounced, receive.ack_due = 0, None
        return wire.Ack(channel.ident, receive.ack_offset, receive.limit).encode()

    @staticmethod
    def _encode_reset(channel) -> bytes | None:
        send = channel.send
        if send.state.name != "RESET_SENT":
            return None
        return wire.Reset(channel.ident, send.reset_code, send.highest).encode()

    @staticmethod
    def _encode_close(channel) -> bytes | None:
        if channel.kind == wire.KIND_STREAM and channel.receive.state.name == "DONE":
            return None
        return wire.Close(channel.ident, channel.close_code or wire.NONE).encode()

    def _pull_datagrams(self, draft: Draft, carrier: Carrier, exchange: Exchange) -> None:
        kept: list[tuple] = []
        now = monotonic()
        if self.settings.shuffle:
            random.shuffle(self.datagrams)
        while self.datagrams and not draft.full:
            channel, sequence, queued_at, payload = self.datagrams[0]
            age = int((now - queued_at) * 1000)
            if age > channel.deadline or channel.ident not in self.channels:
                self.datagrams.popleft()
                continue
            if not channel.open_sent:
                kept.append(self.datagrams.popleft())
                continue
            form = 3 if age >= 10 else channel.form(sequence)
            octets = wire.Datagram.encode(channel.ident, sequence, form, age, payload)
            if not draft.fits(octets):
                break
            self.datagrams.popleft()
            draft.add(octets)
            draft.datagrams[channel.ident] = max(sequence, draft.datagrams.get(channel.ident, -1))
        self.datagrams.extendleft(reversed(kept))

    def _pull_streams(self, draft: Draft, carrier: Carrier, exchange: Exchange) -> None:
        if self.settings.shuffle:
            self._cut_segments()
            if self.segments and not draft.full:
                self._add_segment(draft, self.segments.pop(random.randrange(len(self.segments))))
            return
        progress = True
        while progress and not draft.full:
            progress = False
            for ident in list(self.channels):
                segment = None if draft.full else self._next_segment(ident, SEGMENT_MAX)
                if segment is not None:
                    self._add_segment(draft, segment)
                    progress = True

    def _cut_segments(self) -> None:
        for ident in list(self.channels):
            while len(self.segments) < 8:
                segment = self._next_segment(ident, random.randrange(1, 3000))
                if segment is None:
                    break
                self.segments.append(segment)

    def _next_segment(self, ident: int, most: int) -> tuple[int, int, bytes, bool] | None:
        channel = self.channels.get(ident)
        if channel is None or channel.kind != wire.KIND_STREAM or not (channel.open_sent or self.is_server):
            return None
        before = channel.send.highest
        taken = channel.send.take(most, self.send_limit - self.sent)
        self.sent += channel.send.highest - before
        if taken is None:
            return None
        channel.changed.set()
        return ident, *taken

    def _add_segment(self, draft: Draft, segment: tuple[int, int, bytes, bool]) -> None:
        ident, offset, octets, fin = segment
        channel = self.channels.get(ident)
        if channel is None or not channel.send.alive:
            return
        item = ("stream", ident, offset, offset + len(octets), fin)
        draft.add(wire.Stream(ident, offset, octets, fin).encode(), item)

    # ------------------------------------------------------------ applying capsules

    def apply(self, kind: int, value: bytes, context: RecordContext) -> None:
        if self.ended:
            return
        handler = self.HANDLERS.get(kind)
        if handler is not None:   # unknown types are skipped
            handler(self, value, context)

    def _on_receipt(self, value: bytes, context: RecordContext) -> None:
        receipt = wire.Receipt.decode(value)
        carrier = self.carriers.get(receipt.carrier)
        if carrier is None:
            raise wire.Malformed("receipt for a carrier that does not exist")
        for record in carrier.take_receipt(receipt, monotonic()):
            for ident, sequence in record.datagrams.items():
                channel = self.channels.get(ident)
                if channel is not None:
                    channel.known_seen = max(channel.known_seen, sequence)
            for item in record.items:
                self._forget(item)
            carrier.trusted |= record.has_seen

    def _forget(self, item: tuple) -> None:
        if item[0] == "refused":
            self.refusals.pop(item[1], None)

    def _shoot(self, carrier: int, octets: bytes, accountable: bool, streamed: bool = False) -> None:
        if len(self.one_shots) < ONE_SHOT_QUEUE:
            self.one_shots.append((carrier, octets, accountable, streamed))

    def _may_shoot(self, shot: tuple, carrier: Carrier, exchange: Exchange) -> bool:
        """On the same carrier; SEEN on its streamed answer when there is one (4.5)."""
        if shot[0] != carrier.number:
            return False
        return not shot[3] or exchange.mode in ("down", "duplex") or not self.has_streamed_answer(carrier.number)

    def _on_ping(self, value: bytes, context: RecordContext) -> None:
        token = wire.Reader(value).varint()
        if not context.duplicate:
            self._shoot(context.carrier.number, wire.capsule(wire.PONG, wire.varint(token)), False)

    def _on_pong(self, value: bytes, context: RecordContext) -> None:
        self.log("pong", wire.Reader(value).varint())

    def _on_mark(self, value: bytes, context: RecordContext) -> None:
        mark = wire.Mark.decode(value)
        if not context.duplicate:
            intact = int(wire.fnv1a(mark.filler) == mark.check)
            seen = wire.Seen(mark.ident, mark.n, records.clock_ms(monotonic()), intact)
            self._shoot(context.carrier.number, seen.encode(), True, streamed=True)

    def _on_seen(self, value: bytes, context: RecordContext) -> None:
        self.on_seen(wire.Seen.decode(value), context.carrier.number)

    def ping(self, carrier: int, token: int) -> None:
        self._shoot(carrier, wire.capsule(wire.PING, wire.varint(token)), True)

    def mark(self, carrier: int, ident: int, n: int, filler: bytes) -> None:
        octets = wire.Mark(ident, n, records.clock_ms(monotonic()), wire.fnv1a(filler), filler).encode()
        self._shoot(carrier, octets, True)

    def _on_window(self, value: bytes, context: RecordContext) -> None:
        window = wire.Window.decode(value)
        self.send_limit = max(self.send_limit, window.octets)
        self.open_limit = max(self.open_limit, window.channels)

    def _on_channel_capsule(self, kind: int, ident: int, decoded, value: bytes, context: RecordContext) -> None:
        channel = self.channels.get(ident)
        if channel is None:
            if not self.was_open(ident):
                self._wait_early(kind, ident, value, context)
            return
        if channel.kind == wire.KIND_STREAM:
            self._apply_to_stream(kind, channel, decoded, context)
        elif kind == wire.DATAGRAM:
            self._apply_datagram(channel, decoded, context)
        elif kind == wire.CLOSE:
            self._end_channel(channel)

    def _on_datagram(self, value: bytes, context: RecordContext) -> None:
        datagram = wire.Datagram.decode(value)
        if not context.duplicate:
            self._on_channel_capsule(wire.DATAGRAM, datagram.channel, datagram, value, context)

    def _apply_datagram(self, channel: DatagramChannel, datagram: wire.Datagram, context: RecordContext) -> None:
        if channel.close_code is None and channel.accept(datagram, context.lateness):
            channel.used_at = monotonic()
            self.on_datagram(channel, datagram.payload)

    def _apply_to_stream(self, kind: int, channel: StreamChannel, decoded, context: RecordContext) -> None:
        try:
            if kind == wire.STREAM:
                channel.receive.on_stream(decoded.offset, decoded.octets, decoded.fin)
            elif kind == wire.ACK:
                channel.send.on_ack(decoded.offset, decoded.limit)
            elif kind == wire.RESET:
                channel.receive.on_reset(decoded.final)
                self._answer_reset(channel, decoded.code)
            elif kind == wire.CLOSE:
                self.reset_stream(channel, decoded.code)
        except NoRoom:
            context.refused = True
        except ChannelError as error:
            context.refused = True
            self.log("channel", channel.ident, repr(error))
            self.break_stream(channel, wire.PROTOCOL)
        channel.changed.set()
        self._after_delivery(channel)

    def _answer_reset(self, channel: StreamChannel, code: int) -> None:
        """The local connection cannot be reset in one direction only, so our half goes, too."""
        if channel.send.state.name == "OPEN":
            self.reset_stream(channel, code)

    def _decoded(kind: int, decoder):   # makes a handler for the capsules of a channel
        def handler(self, value: bytes, context: RecordContext) -> None:
            decoded = decoder(value)
            self._on_channel_capsule(kind, decoded.channel, decoded, value, context)
        return handler

    HANDLERS = {
        wire.RECEIPT: _on_receipt, wire.PING: _on_ping, wire.PONG: _on_pong, wire.MARK: _on_mark, wire.SEEN: _on_seen,
        wire.WINDOW: _on_window, wire.DATAGRAM: _on_datagram,
        wire.STREAM: _decoded(wire.STREAM, wire.Stream.decode), wire.ACK: _decoded(wire.ACK, wire.Ack.decode),
        wire.RESET: _decoded(wire.RESET, wire.Reset.decode), wire.CLOSE: _decoded(wire.CLOSE, wire.Close.decode),
    }

    # ------------------------------------------------------------ early capsules (6.1)

    def was_open(self, ident: int) -> bool:
        return ident in self.known_ids or ident <= self.newest_id - 2 * EXACT_IDS

    def remember_id(self, ident: int) -> None:
        self.known_ids.add(ident)
        self.newest_id = max(self.newest_id, ident)
        if len(self.known_ids) > 2 * EXACT_IDS:
            self.known_ids = {i for i in self.known_ids if i > self.newest_id - 2 * EXACT_IDS}

    def _wait_early(self, kind: int, ident: int, value: bytes, context: RecordContext) -> None:
        waiting = self.early.get(ident, [])
        mine = sum(len(entry[2]) for entry in waiting)
        if mine + len(value) > EARLY_CHANNEL_MAX or self.early_octets + len(value) > EARLY_SESSION_MAX:
            context.refused = True
            return
        self.early.setdefault(ident, []).append((monotonic(), kind, value, context))
        self.early_octets += len(value)

    def _release_early(self, ident: int) -> None:
        """Apply what waited; what a datagram waited adds to its lateness."""
        for since, kind, value, context in self.early.pop(ident, []):
            self.early_octets -= len(value)
            context.lateness += int((monotonic() - since) * 1000)
            self.apply(kind, value, context)

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
