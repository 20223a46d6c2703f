"""Carriers: record numbers, receipts, round trips, clocks (PROTOCOL.md, sections 4.1 to 4.3)."""

from __future__ import annotations

import itertools
import time
from collections import deque
from dataclasses import dataclass, field

import wire

WINDOW = 4_096             # record numbers and sequences that are remembered (4.1, 4.4)
RECEIPT_DELAY = 0.1        # an owed receipt is worth a record of its own after this (4.1)
RANGE_REPORTED_FOR = 3.0   # a range that has not changed for so long is left out (4.1)
LATENESS_SPAN = 60         # seconds over which the least clock difference is taken (4.3)


def clock_ms(now: float) -> int:
    """The u32 clock of RECORD, MARK and SEEN."""
    return int(now * 1000) & 0xFFFFFFFF


def signed_32(value: int) -> int:
    return ((value + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class SeenWindow:
    """The newest 4,096 of a set of rising numbers; older ones count as seen."""

    def __init__(self):
        self.largest = -1
        self.numbers: set[int] = set()

    def has(self, number: int) -> bool:
        return number in self.numbers or number <= self.largest - WINDOW

    def add(self, number: int) -> None:
        if self.has(number):
            return
        self.numbers.add(number)
        if number > self.largest:
            self._forget(number)
            self.largest = number

    def _forget(self, largest: int) -> None:
        floor = largest - WINDOW
        if largest - self.largest > WINDOW:
            self.numbers = {largest}
            return
        for number in range(self.largest - WINDOW, floor + 1):
            self.numbers.discard(number)

    def expand(self, low: int, bits: int) -> int:
        """The full number of which `low` is the low part (RFC 9000, appendix A.3)."""
        expected, window = self.largest + 1, 1 << bits
        candidate = expected & ~(window - 1) | low
        if candidate <= expected - window // 2 and candidate < (1 << 62) - window:
            return candidate + window
        if candidate > expected + window // 2 and candidate >= window:
            return candidate - window
        return candidate


@dataclass
class Range:
    first: int
    last: int
    changed: float


class ReceivedRanges:
    """Numbers of accountable records that are complete, as ranges, newest first."""

    def __init__(self):
        self.ranges: list[Range] = []

    def add(self, number: int, now: float) -> None:
        place = 0
        for place, known in enumerate(self.ranges):
            if known.first <= number <= known.last:
                known.changed = now   # received again: reported again
                return
            if number > known.last:
                break
        else:
            place = len(self.ranges)
        self.ranges.insert(place, Range(number, number, now))
        self._join(place, now)
        self._forget()

    def _join(self, place: int, now: float) -> None:
        for left in (place, place - 1):
            if 0 <= left < len(self.ranges) - 1 and self.ranges[left].first == self.ranges[left + 1].last + 1:
                self.ranges[left].first = self.ranges.pop(left + 1).first
                self.ranges[left].changed = now

    def _forget(self) -> None:
        floor = self.ranges[0].last - WINDOW
        while self.ranges[-1].last <= floor:
            self.ranges.pop()

    def report(self, now: float) -> list[tuple[int, int]]:
        recent = (r for i, r in enumerate(self.ranges) if i == 0 or now - r.changed < RANGE_REPORTED_FOR)
        return [(r.first, r.last) for r in itertools.islice(recent, wire.RECEIPT_RANGES_MAX)]


class Lateness:
    """How late the records of one carrier and direction are (4.3)."""

    def __init__(self):
        self.base: int | None = None
        self.least: deque[tuple[int, int]] = deque()  # (second, least difference seen in it)

    def of(self, now: float, clock: int) -> int:
        difference = clock_ms(now) - clock & 0xFFFFFFFF
        if self.base is None:
            self.base = difference
        relative, second = signed_32(difference - self.base), int(now)
        if self.least and self.least[-1][0] == second:
            self.least[-1] = (second, min(relative, self.least[-1][1]))
        else:
            self.least.append((second, relative))
        while self.least[0][0] < second - LATENESS_SPAN:
            self.least.popleft()
        return relative - min(least for _, least in self.least)


class RoundTrip:
    """Smoothed as in RFC 9002, section 5.3 (seconds)."""

    def __init__(self):
        self.smoothed: float | None = None
        self.variation = 0.0

    def sample(self, value: float) -> None:
        value = max(value, 0.0)
        if self.smoothed is None:
            self.smoothed, self.variation = value, value / 2
            return
        self.variation = 0.75 * self.variation + 0.25 * abs(self.smoothed - value)
        self.smoothed = 0.875 * self.smoothed + 0.125 * value

    def probe_timeout(self, in_a_row: int) -> float:
        """Section 4.2."""
        base = 1.0 if self.smoothed is None else max(0.2, 2 * self.smoothed + 4 * self.variation + 0.1)
        return min(base * 2 ** min(in_a_row, 10), 10.0)


class Exchange:
    """One HTTP request and its response, as far as records are concerned."""

    def __init__(self, carrier: int, x: int, mode: str):
        self.carrier = carrier
        self.x = x
        self.mode = mode
        self.owes_receipt = False   # its answer must carry a RECEIPT (4.1)
        self.at_once = False        # a poll with hold=0
        self.rests = False          # the helper leaves it alone before it trusts it (4.5)
        self.failed = False


@dataclass
class SentRecord:
    """A record that was sent and is neither receipted nor lost."""
    number: int
    sent_at: float
    exchange: Exchange
    items: list[tuple] = field(default_factory=list)           # what of it is reliable (4.2)
    datagrams: dict[int, int] = field(default_factory=dict)    # channel: largest sequence in it
    has_seen: bool = False                                     # SEEN is in it


class Carrier:
    """Both directions of one carrier."""

    def __init__(self, number: int):
        self.number = number
        # What we send.
        self.next_record = 0
        self.sent: dict[int, SentRecord] = {}
        self.round_trip = RoundTrip()
        self.probes_in_a_row = 0
        self.trusted = False   # at a server: the helper trusts this carrier (4.5)
        # What we receive.
        self.seen = SeenWindow()
        self.received = ReceivedRanges()
        self.lateness = Lateness()
        self.newest_arrival = 0.0
        self.owed_since: float | None = None

    def owe_receipt(self, number: int, now: float) -> None:
        """A complete accountable record came and nothing in it was refused."""
        if not self.received.ranges or number > self.received.ranges[0].last:
            self.newest_arrival = now
        self.received.add(number, now)
        if self.owed_since is None:
            self.owed_since = now

    def receipt(self, now: float) -> bytes:
        self.owed_since = None
        delay = int((now - self.newest_arrival) * 1_000_000)
        return wire.Receipt(self.number, delay, self.received.report(now)).encode()

    def take_receipt(self, receipt: wire.Receipt, now: float) -> list[SentRecord]:
        """The records that this receipt newly covers.  Section 4.1: a number not yet sent is malformed."""
        if receipt.ranges[0][1] >= self.next_record:
            raise wire.Malformed("receipt for a record that was not sent")
        newest = self.sent.get(receipt.ranges[0][1])
        if newest is not None:
            self.round_trip.sample(now - newest.sent_at - receipt.delay / 1_000_000)
        covered = [n for n in self.sent if any(first <= n <= last for first, last in receipt.ranges)]
        if covered:
            self.probes_in_a_row = 0
        return [self.sent.pop(n) for n in covered]

    def take_overdue(self, now: float) -> list[SentRecord]:
        """The records whose probe time-out is over (4.2)."""
        limit = self.round_trip.probe_timeout(self.probes_in_a_row)
        overdue = [r for r in self.sent.values() if now - r.sent_at >= limit]
        for record in overdue:
            del self.sent[record.number]
        if any(record.items for record in overdue):
            self.probes_in_a_row += 1
        return overdue

    def take_of_exchange(self, matches) -> list[SentRecord]:
        """The outstanding records of the exchanges for which matches(exchange) is true."""
        found = [r for r in self.sent.values() if matches(r.exchange)]
        for record in found:
            del self.sent[record.number]
        return found


def monotonic() -> float:
    return time.monotonic()
