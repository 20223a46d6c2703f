"""Records in: capsules applied to a session, also early ones (PROTOCOL.md, sections 4 and 6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import records
import wire
from bodies import BodyParser
from records import Carrier, Exchange, monotonic
from streams import ChannelError, DatagramChannel, NoRoom, StreamChannel

if TYPE_CHECKING:
    from session import Session

EARLY_CHANNEL_MAX, EARLY_SESSION_MAX = 4_096, 65_536   # section 6.1
EXACT_IDS = 4_096              # section 6.1


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
        self.parser = BodyParser(self, is_answer)

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


class Incoming:
    """The part of a Session that applies capsules."""

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
            carrier.trusted |= record.has_seen and not record.exchange.rests

    def _forget(self, item: tuple) -> None:
        if item[0] == "refused":
            self.refusals.pop(item[1], None)

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
