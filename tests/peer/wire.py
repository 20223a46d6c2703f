"""Codec of the Culvert protocol: varints and capsules (bodies: bodies.py).  Sections are those of framing/PROTOCOL.md.

Nothing in here knows of sessions.  Every decoder raises Malformed for a value that is not as the text says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

VARINT_MAX = (1 << 62) - 1
TOP_CAPSULE_MAX = 81_920      # section 4
INNER_CAPSULE_MAX = 66_048    # section 4
PAD_MAX = 65_536              # section 4.5
PAYLOAD_MAX = 65_507          # section 4.4
RECEIPT_RANGES_MAX = 32       # section 4.1

# Capsule types.
DATAGRAM, RECORD, PAD, RECEIPT, PING, PONG, MARK, SEEN = range(0x00, 0x08)
HELLO, WELCOME, GONE, BYE, GOAWAY = range(0x08, 0x0D)
OPEN, OPENED, REFUSED, STREAM, ACK, WINDOW, RESET, CLOSE = range(0x10, 0x18)
PROBED = 0x18
ANSWERS = 0x1D

UNACCOUNTABLE = frozenset((RECEIPT, PAD, PONG, PROBED, ANSWERS))  # section 4.1

NOT_RELIABLE = frozenset((DATAGRAM, RECEIPT, MARK, SEEN, PING, PONG, PAD, PROBED, ANSWERS))  # section 4.2

FEATURE_PROBES, FEATURE_ANSWERS = 1, 2  # section 5

# Codes, section 5.
(NONE, UNKNOWN_SESSION, EXPIRED, EPOCH, ENDED, VERSION, LIMIT, SHUTDOWN, PROTOCOL, FORBIDDEN, UNKNOWN_SERVICE,
 WRONG_KIND, CONNECT_REFUSED, UNREACHABLE, TIMEOUT, RESOLVE, LOCAL_RESET, IDLE, INTERNAL, SESSION_LOST) = range(20)

# Parameters, section 5.
P_CHANNELS, P_SESSION_WINDOW, P_CHANNEL_WINDOW, P_KEEPALIVE, P_MAX_HOLD, P_SOFTWARE = range(1, 7)
P_INDEX, P_CLASS, P_DEADLINE, P_IDLE, P_THIS_WINDOW, P_REDUNDANCY, P_AUDIO_TYPES, P_VIDEO_TYPES = range(16, 24)

KIND_DATAGRAM, KIND_STREAM = 0, 1
SERVICE_CHARS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._-")


class Malformed(Exception):
    """A body breaks section 4: the rest of it is discarded and its exchange fails."""


class NotCulvertd(Exception):
    """An answer is not from culvertd (section 2.4)."""

    def __init__(self, why: str, date: str | None = None):
        super().__init__(why)
        self.date = date


# ---------------------------------------------------------------- encoding (section 1)

_long_varints = False


def use_long_varints(on: bool) -> None:
    """Encode every varint in 8 bytes from now on, which section 1 allows."""
    global _long_varints
    _long_varints = on


def varint(value: int) -> bytes:
    if not 0 <= value <= VARINT_MAX:
        raise ValueError(f"no varint: {value}")
    if _long_varints or value >= 1 << 30:
        return struct.pack(">Q", value | 3 << 62)
    if value < 1 << 6:
        return struct.pack(">B", value)
    if value < 1 << 14:
        return struct.pack(">H", value | 1 << 14)
    return struct.pack(">I", value | 2 << 30)


def block(octets: bytes) -> bytes:
    return varint(len(octets)) + octets


def capsule(kind: int, *parts: bytes) -> bytes:
    value = b"".join(parts)
    return varint(kind) + varint(len(value)) + value


def record(number: int, clock: int, capsules: bytes) -> bytes:
    return capsule(RECORD, varint(number), struct.pack(">I", clock & 0xFFFFFFFF), capsules)


def pad(octets: int = 0) -> bytes:
    return capsule(PAD, bytes(octets))


def filled(octets: bytes, size: int) -> bytes:
    """Section 3: followed by a PAD that makes them `size` octets long, a few more where none has the right length."""
    if len(octets) >= size:
        return octets
    value = max(0, size - len(octets) - 2)
    while len(octets) + len(pad(value)) > size and value > 0:
        value -= 1
    while len(octets) + len(pad(value)) < size:
        value += 1
    return octets + pad(value)


def read_varint(data, pos: int, end: int) -> tuple[int, int] | None:
    """The varint at pos and the position behind it; None if it does not end before `end`."""
    if pos >= end:
        return None
    size = 1 << (data[pos] >> 6)
    if pos + size > end:
        return None
    value = int.from_bytes(data[pos:pos + size], "big") & ((1 << (8 * size - 2)) - 1)
    return value, pos + size


class Reader:
    """Reads the fields of one capsule's value."""

    def __init__(self, value: bytes):
        self.value = value
        self.pos = 0

    @property
    def left(self) -> int:
        return len(self.value) - self.pos

    def varint(self, limit: int = VARINT_MAX) -> int:
        got = read_varint(self.value, self.pos, len(self.value))
        if got is None:
            raise Malformed("value ends within a varint")
        if got[0] > limit:
            raise Malformed(f"{got[0]} is beyond {limit}")
        self.pos = got[1]
        return got[0]

    def octets(self, count: int) -> bytes:
        if count > self.left:
            raise Malformed("value ends too early")
        self.pos += count
        return bytes(self.value[self.pos - count:self.pos])

    def fixed(self, size: int) -> int:
        return int.from_bytes(self.octets(size), "big")

    def block(self, limit: int = INNER_CAPSULE_MAX) -> bytes:
        return self.octets(self.varint(limit))

    def text(self, limit: int) -> str:
        return text(self.block(limit))

    def rest(self) -> bytes:
        return self.octets(self.left)


def text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("text is not UTF-8") from None


# ---------------------------------------------------------------- parameters (section 5)

Parameter = int | str | bytes

def write_parameters(parameters: dict[int, Parameter]) -> bytes:
    out = bytearray()
    for number, value in parameters.items():
        octets = value.encode() if isinstance(value, str) else varint(value) if isinstance(value, int) else value
        out += varint(number) + block(octets)
    return bytes(out)


# What a known parameter may hold: (least, greatest) for numbers, None for the text and for payload types.
PARAMETER_RANGES: dict[int, tuple[int, int] | None] = {
    P_CHANNELS: (0, 65_535), P_SESSION_WINDOW: (0, VARINT_MAX), P_CHANNEL_WINDOW: (0, VARINT_MAX),
    P_KEEPALIVE: (500, 60_000), P_MAX_HOLD: (0, VARINT_MAX), P_SOFTWARE: None,
    P_INDEX: (0, 65_535), P_CLASS: (0, 4), P_DEADLINE: (10, 60_000), P_IDLE: (0, VARINT_MAX),
    P_THIS_WINDOW: (0, VARINT_MAX), P_REDUNDANCY: (0, 2), P_AUDIO_TYPES: None, P_VIDEO_TYPES: None,
}


def read_parameters(reader: Reader) -> dict[int, Parameter]:
    """Pairs until the end of the value; unknown ones are left out, a repeated one is malformed."""
    found: dict[int, Parameter] = {}
    seen: set[int] = set()
    while reader.left:
        number, value = reader.varint(), reader.block()
        if number in seen:
            raise Malformed(f"parameter {number} is repeated")
        seen.add(number)
        if number in PARAMETER_RANGES:
            found[number] = read_parameter(number, value)
    return found


def read_parameter(number: int, value: bytes) -> Parameter:
    bounds = PARAMETER_RANGES[number]
    if number in (P_AUDIO_TYPES, P_VIDEO_TYPES):
        if len(value) > 32 or any(kind > 127 for kind in value):
            raise Malformed(f"parameter {number} has what is no payload type, or too many")
        return value
    if bounds is None:
        if len(value) > 128:
            raise Malformed("software text too long")
        return text(value)
    reader = Reader(value)
    result = reader.varint()
    if reader.left or not bounds[0] <= result <= bounds[1]:
        raise Malformed(f"parameter {number} out of range")
    return result


# ---------------------------------------------------------------- capsules

@dataclass
class Datagram:
    """Section 4.4.  `low` is the low part of the sequence, `bits` how many of its bits are there."""
    channel: int
    low: int
    bits: int
    age: int
    payload: bytes

    SIZES = (2, 3, 4, 4)

    @staticmethod
    def encode(channel: int, sequence: int, form: int, age: int, payload: bytes) -> bytes:
        size = Datagram.SIZES[form]
        low = (sequence & ((1 << 8 * size) - 1)).to_bytes(size, "big")
        return capsule(DATAGRAM, varint(channel * 4 + form), low, varint(age) if form == 3 else b"", payload)

    @classmethod
    def decode(cls, value: bytes) -> Datagram:
        r = Reader(value)
        head = r.varint()
        size = cls.SIZES[head & 3]
        low = r.fixed(size)
        age = r.varint() if head & 3 == 3 else 0
        payload = r.rest()
        if len(payload) > PAYLOAD_MAX:
            raise Malformed("datagram too long")
        return cls(head >> 2, low, 8 * size, age, payload)


@dataclass
class Receipt:
    """Section 4.1.  ranges: (first, last), newest first."""
    carrier: int
    delay: int
    ranges: list[tuple[int, int]]

    def encode(self) -> bytes:
        first, last = self.ranges[0]
        parts = [varint(self.carrier), varint(self.delay), varint(len(self.ranges)), varint(last), varint(last - first)]
        for lower, upper in self.ranges[1:]:
            parts += [varint(first - upper - 2), varint(upper - lower)]
            first = lower
        return capsule(RECEIPT, *parts)

    @classmethod
    def decode(cls, value: bytes) -> Receipt:
        r = Reader(value)
        carrier, delay, count = r.varint(65_535), r.varint(), r.varint(RECEIPT_RANGES_MAX)
        if count == 0:
            raise Malformed("receipt without ranges")
        last = r.varint()
        ranges = [cls._range(last, r.varint())]
        for _ in range(count - 1):
            last = ranges[-1][0] - r.varint() - 2
            ranges.append(cls._range(last, r.varint()))
        return cls(carrier, delay, ranges)

    @staticmethod
    def _range(last: int, length: int) -> tuple[int, int]:
        if last - length < 0:
            raise Malformed("receipt range below 0")
        return last - length, last


@dataclass
class Mark:
    """Section 4.5."""
    ident: int
    n: int
    time: int
    check: int
    filler: bytes

    def encode(self) -> bytes:
        return capsule(MARK, varint(self.ident), varint(self.n), struct.pack(">II", self.time, self.check), self.filler)

    @classmethod
    def decode(cls, value: bytes) -> Mark:
        r = Reader(value)
        return cls(r.varint(), r.varint(), r.fixed(4), r.fixed(4), r.rest())


@dataclass
class Seen:
    """Section 4.5."""
    ident: int
    n: int
    arrival: int
    intact: int

    def encode(self) -> bytes:
        tail = struct.pack(">IB", self.arrival & 0xFFFFFFFF, self.intact)
        return capsule(SEEN, varint(self.ident), varint(self.n), tail)

    @classmethod
    def decode(cls, value: bytes) -> Seen:
        r = Reader(value)
        return cls(r.varint(), r.varint(), r.fixed(4), r.fixed(1))


@dataclass
class Probed:
    """Section 4.6."""
    x: int
    copies: int
    version: int
    framing: int
    body: int
    via: str = ""

    def encode(self) -> bytes:
        numbers = (varint(n) for n in (self.x, self.copies, self.version, self.framing, self.body))
        return capsule(PROBED, *numbers, block(self.via.encode()[:256]))

    @classmethod
    def decode(cls, value: bytes) -> Probed:
        r = Reader(value)
        return cls(r.varint(), r.varint(), r.varint(), r.varint(), r.varint(), r.text(256))


def fnv1a(octets: bytes) -> int:
    value = 2166136261
    for octet in octets:
        value = (value ^ octet) * 16777619 & 0xFFFFFFFF
    return value


@dataclass
class Hello:
    """Section 5."""
    version_min: int
    version_max: int
    features: int
    parameters: dict[int, Parameter] = field(default_factory=dict)

    def encode(self) -> bytes:
        return capsule(HELLO, varint(self.version_min), varint(self.version_max), varint(self.features),
                       write_parameters(self.parameters))

    @classmethod
    def decode(cls, value: bytes) -> Hello:
        r = Reader(value)
        hello = cls(r.varint(), r.varint(), r.varint(), read_parameters(r))
        if hello.version_min > hello.version_max:
            raise Malformed("version range is empty")
        return hello


@dataclass
class Welcome:
    """Section 5."""
    version: int
    features: int
    node: int
    epoch: int
    parameters: dict[int, Parameter] = field(default_factory=dict)

    def encode(self) -> bytes:
        return capsule(WELCOME, varint(self.version), varint(self.features), struct.pack(">QQ", self.node, self.epoch),
                       write_parameters(self.parameters))

    @classmethod
    def decode(cls, value: bytes) -> Welcome:
        r = Reader(value)
        welcome = cls(r.varint(), r.varint(), r.fixed(8), r.fixed(8), read_parameters(r))
        if welcome.epoch == 0:
            raise Malformed("epoch is 0")
        return welcome


@dataclass
class Farewell:
    """The value of GONE, BYE and GOAWAY (section 5)."""
    code: int
    delay: int = 0
    version_min: int = 1
    version_max: int = 1
    elsewhere: bytes = b""
    reason: bytes = b""

    def encode(self, kind: int) -> bytes:
        return capsule(kind, varint(self.code), varint(self.delay), varint(self.version_min), varint(self.version_max),
                       block(self.elsewhere), block(self.reason))

    @classmethod
    def decode(cls, value: bytes) -> Farewell:
        r = Reader(value)
        return cls(r.varint(), r.varint(), r.varint(), r.varint(), r.block(), r.block())


@dataclass
class Open:
    """Section 6.1."""
    channel: int
    kind: int
    target: str
    parameters: dict[int, Parameter] = field(default_factory=dict)
    form: int = 0

    def encode(self) -> bytes:
        return capsule(OPEN, varint(self.channel), bytes((self.kind, self.form)), block(self.target.encode()),
                       write_parameters(self.parameters))

    @classmethod
    def decode(cls, value: bytes) -> Open:
        r = Reader(value)
        channel, kind, form, target = r.varint(), r.fixed(1), r.fixed(1), r.block()
        if kind not in (KIND_DATAGRAM, KIND_STREAM) or form != 0:
            raise Malformed("OPEN of a kind or form that version 1 does not have")
        if not 1 <= len(target) <= 64 or not SERVICE_CHARS.issuperset(target):
            raise Malformed("no name of a service")
        return cls(channel, kind, target.decode(), read_parameters(r), form)


@dataclass
class Opened:
    channel: int
    parameters: dict[int, Parameter] = field(default_factory=dict)

    def encode(self) -> bytes:
        return capsule(OPENED, varint(self.channel), write_parameters(self.parameters))

    @classmethod
    def decode(cls, value: bytes) -> Opened:
        r = Reader(value)
        return cls(r.varint(), read_parameters(r))


@dataclass
class Refused:
    channel: int
    code: int
    sentence: str = ""

    def encode(self) -> bytes:
        return capsule(REFUSED, varint(self.channel), varint(self.code), block(self.sentence.encode()[:256]))

    @classmethod
    def decode(cls, value: bytes) -> Refused:
        r = Reader(value)
        return cls(r.varint(), r.varint(), r.text(256))


@dataclass
class Stream:
    """Section 6.2."""
    channel: int
    offset: int
    octets: bytes
    fin: bool

    def encode(self) -> bytes:
        return capsule(STREAM, varint(self.channel * 2 + self.fin), varint(self.offset), self.octets)

    @classmethod
    def decode(cls, value: bytes) -> Stream:
        r = Reader(value)
        head, offset, octets = r.varint(), r.varint(), r.rest()
        if offset + len(octets) >= VARINT_MAX:  # final size + 1 must be a varint, too
            raise Malformed("offset too large")
        return cls(head >> 1, offset, octets, bool(head & 1))


@dataclass
class Ack:
    channel: int
    offset: int
    limit: int

    def encode(self) -> bytes:
        return capsule(ACK, varint(self.channel), varint(self.offset), varint(self.limit))

    @classmethod
    def decode(cls, value: bytes) -> Ack:
        r = Reader(value)
        return cls(r.varint(), r.varint(), r.varint())


@dataclass
class Window:
    octets: int
    channels: int

    def encode(self) -> bytes:
        return capsule(WINDOW, varint(self.octets), varint(self.channels))

    @classmethod
    def decode(cls, value: bytes) -> Window:
        r = Reader(value)
        return cls(r.varint(), r.varint())


@dataclass
class Reset:
    channel: int
    code: int
    final: int
    reason: bytes = b""

    def encode(self) -> bytes:
        return capsule(RESET, varint(self.channel), varint(self.code), varint(self.final), block(self.reason))

    @classmethod
    def decode(cls, value: bytes) -> Reset:
        r = Reader(value)
        return cls(r.varint(), r.varint(), r.varint(VARINT_MAX - 1), r.block())


@dataclass
class Close:
    channel: int
    code: int
    reason: bytes = b""

    def encode(self) -> bytes:
        return capsule(CLOSE, varint(self.channel), varint(self.code), block(self.reason))

    @classmethod
    def decode(cls, value: bytes) -> Close:
        r = Reader(value)
        return cls(r.varint(), r.varint(), r.block())
