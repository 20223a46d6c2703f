"""HTTP/2 frames as they are, right or wrong (RFC 9113), by a socket of our own: what h2attack.py and h2cases.py send and read.

Header blocks are literal fields without indexing (RFC 7541 section 6.2.2) unless a case wants others; answers are read with python3-hpack.
"""
import select
import socket
import ssl
import struct
import time

import hpack

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 1, 1, 4, 8, 32
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES = 8, 9
ERRORS = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
          "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LARGEST = (1 << 31) - 1


def error_name(code):
    return ERRORS[code] if code < len(ERRORS) else hex(code)


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    """length: what the frame claims, when that is not what it has."""
    return struct.pack("!I", len(payload) if length is None else length)[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack("!HI", *pair) for pair in pairs))


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", increment))


def reset(stream, code=8):
    return frame(RST_STREAM, 0, stream, struct.pack("!I", code))


def priority(stream, on, weight=15):
    return frame(PRIORITY, 0, stream, struct.pack("!IB", on, weight))


def goaway(last=0, code=0):
    return frame(GOAWAY, 0, 0, struct.pack("!II", last, code))


def integer(value, bits, first=0):
    """RFC 7541 section 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return integer(len(value), 7) + value


def block(*fields):
    return b"".join(b"\0" + text(name) + text(value) for name, value in fields)


def fields(method="GET", path="/healthz", *more, scheme="https", authority="localhost"):
    return ((":method", method), (":scheme", scheme), (":authority", authority), (":path", path)) + more


def headers(stream, header_block, end=True, flags=END_HEADERS):
    return frame(HEADERS, flags | (END_STREAM if end else 0), stream, header_block)


def request(stream, method="GET", path="/healthz", *more, end=True):
    return headers(stream, block(*fields(method, path, *more)), end)


class Over(Exception):
    """The connection is over."""


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload
        self.fields = None  # of a header block, with its last frame

    def code(self):
        """Of RST_STREAM and GOAWAY."""
        at = 4 if self.kind == GOAWAY else 0
        return struct.unpack("!I", self.payload[at:at + 4])[0]

    def last(self):
        return struct.unpack("!I", self.payload[:4])[0] & LARGEST


class Target:
    """Where peers connect to: ADDR:PORT; cafile: by TLS with ALPN h2."""

    def __init__(self, where, cafile=None, alpn=("h2",)):
        host, port = where.rsplit(":", 1)
        self.host, self.port, self.context = host, int(port), None
        if cafile:
            self.context = ssl.create_default_context(cafile=cafile)
            self.context.check_hostname = False
            self.context.set_alpn_protocols(list(alpn))

    def connect(self, timeout=10):
        sock = socket.create_connection((self.host, self.port), timeout=timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context:
            sock = self.context.wrap_socket(sock, server_hostname="localhost")
        return sock


class Peer:
    """A client's end. Nothing is sent by itself; begin() sends the preface and SETTINGS."""

    def __init__(self, target):
        self.sock = target.connect()
        self.sock.setblocking(False)
        self.inbox = bytearray()
        self.over = False      # the server closed, or it was cut
        self.sent = 0
        self.decoder = hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 20
        self.head = b""
        self.seen = []         # frames read and not asked for yet

    def close(self):
        self.sock.close()

    def _turn(self, call, *arguments):
        """One system call: its result, or None when it would wait. Sets over."""
        try:
            return call(*arguments)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except (OSError, ssl.SSLError):
            self.over = True
            return None

    def take(self):
        """Reads what is there."""
        while not self.over:
            data = self._turn(self.sock.recv, 65536)
            if data is None:
                return
            if not data:
                self.over = True
            self.inbox += data

    def wait(self, seconds, writing=False):
        if self.over or (not writing and getattr(self.sock, "pending", int)()):
            return
        select.select([self.sock], [self.sock] if writing else [], [], max(0, seconds))

    def send(self, data, seconds=10, reading=True):
        """False: not all of it went within that time, or the connection is over."""
        data, until = memoryview(data), time.monotonic() + seconds
        while len(data) and not self.over and time.monotonic() < until:
            if reading:
                self.take()
                if self.over:
                    break
            n = self._turn(self.sock.send, data[:65536])
            if n:
                self.sent += n
                data = data[n:]
            elif not self.over:
                if reading:
                    self.wait(until - time.monotonic(), True)
                else:
                    select.select([], [self.sock], [], max(0, until - time.monotonic()))
        return not len(data)

    def begin(self, *pairs):
        self.send(PREFACE + settings(*pairs))
        return self

    def next(self):
        """A whole frame, or None."""
        if len(self.inbox) < 9:
            return None
        length = int.from_bytes(self.inbox[:3], "big")
        if len(self.inbox) < 9 + length:
            return None
        kind, flags, stream = struct.unpack("!BBI", self.inbox[3:9])
        got = Frame(kind, flags, stream & LARGEST, bytes(self.inbox[9:9 + length]))
        del self.inbox[:9 + length]
        if kind in (HEADERS, CONTINUATION) and self.decoder:
            self.head += got.payload
            if flags & END_HEADERS:
                got.fields, self.head = self.decoder.decode(self.head), b""
        return got

    def frames(self, seconds, polite=True):
        """What comes within that time. polite: SETTINGS and PING are acknowledged."""
        until = time.monotonic() + seconds
        while True:
            self.take()
            while (got := self.next()):
                if polite and got.kind in (SETTINGS, PING) and not got.flags & ACK:
                    self.send(frame(got.kind, ACK, 0, got.payload if got.kind == PING else b""))
                yield got
            if self.over or time.monotonic() >= until:
                return
            self.wait(until - time.monotonic())

    def find(self, wanted, seconds=5):
        """The first frame like that, also among those that came before; None when none comes."""
        for got in self.seen:
            if wanted(got):
                self.seen.remove(got)
                return got
        for got in self.frames(seconds):
            if wanted(got):
                return got
            self.seen.append(got)
        return None

    def settled(self, *pairs):
        """Begins, and waits until both ends' SETTINGS are acknowledged. The server's settings."""
        self.begin(*pairs)
        got = self.find(lambda f: f.kind == SETTINGS and not f.flags & ACK)
        if not got or not self.find(lambda f: f.kind == SETTINGS and f.flags & ACK):
            raise Over("no SETTINGS of the server")
        return {k: v for k, v in struct.iter_unpack("!HI", got.payload)}

    def answer(self, stream, seconds=5):
        """(status, headers, body) of a whole answer, or None: it was reset, or nothing came."""
        named, body = [], b""
        while True:
            got = self.find(lambda f: f.stream == stream and f.kind in (DATA, HEADERS, RST_STREAM) or f.kind == GOAWAY, seconds)
            if not got or got.kind in (RST_STREAM, GOAWAY):
                if got:
                    self.seen.append(got)
                return None
            if got.kind == DATA:
                body += got.payload
            else:
                named += got.fields or []
            if got.flags & END_STREAM:
                return int(dict(named)[":status"]), named, body
