"""Records out: what a session has to send, put into records (PROTOCOL.md, sections 4.1 to 4.5)."""

from __future__ import annotations

import random

import records
import wire
from records import Carrier, Exchange, SentRecord, monotonic

RECORD_BUDGET = 32 * 1024      # we begin nothing new in a record that is longer
RECORD_ROOM = wire.TOP_CAPSULE_MAX - 4 * 1024   # what capsules may fill; the rest is for heads and receipts
SEGMENT_MAX = 16 * 1024
ONE_SHOT_QUEUE = 256


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


class Outgoing:
    """The part of a Session that builds records."""

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

    def _shoot(self, carrier: int, octets: bytes, accountable: bool, streamed: bool = False) -> None:
        if len(self.one_shots) < ONE_SHOT_QUEUE:
            self.one_shots.append((carrier, octets, accountable, streamed))

    def _may_shoot(self, shot: tuple, carrier: Carrier, exchange: Exchange) -> bool:
        """On the same carrier; SEEN on its streamed answer when there is one (4.5)."""
        if shot[0] != carrier.number:
            return False
        return not shot[3] or exchange.mode in ("down", "duplex", "websocket") or not self.has_streamed_answer(carrier.number)

    def ping(self, carrier: int, token: int) -> None:
        self._shoot(carrier, wire.capsule(wire.PING, wire.varint(token)), True)

    def mark(self, carrier: int, ident: int, n: int, filler: bytes) -> None:
        octets = wire.Mark(ident, n, records.clock_ms(monotonic()), wire.fnv1a(filler), filler).encode()
        self._shoot(carrier, octets, True)

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
