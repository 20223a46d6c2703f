#!/usr/bin/python3
"""datagrams: a UDP echo and checks of what passes.

    serve [--ports N] [--host A]  echoes on N consecutive ports; prints "ready udp ADDR:PORT echo" for each, in order
    probe DEST [--seconds S]      sends until an echo comes
    sizes DEST [--sizes 0,1,...]  a datagram of each size must come back, whole and once
    sources DEST [--sources N]    N local ports at once: each must get its own datagrams and no other's
    ports DEST DEST...            the k-th address must be answered by the k-th port of the server
    seen DEST [--bind PORT]       prints the address that the server sees, as ADDR:PORT
    call DEST [--seconds S]       50 datagrams in a second from one port; prints "first" at the first echo, at the end JSON: sent,
                                  lost, gap_ms (the longest time between two echoes), gap_at (s),
                                  ports (how many of the server came to be seen)

DEST is ADDR:PORT. Exit status 0 when it holds; else a sentence on standard error, status 1.
"""
import argparse
import json
import os
import random
import select
import socket
import sys
import time

WHICH = b"which port are you?"
SEEN = b"whom do you see?"
FLOOD = b"flood "


class Wrong(Exception):
    pass


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def udp(bind=("127.0.0.1", 0), timeout=5.0):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sock.bind(bind)
    sock.settimeout(timeout)
    return sock


def consecutive(host, count):
    """Sockets on consecutive ports, wherever there is room."""
    for _ in range(200):
        base = random.randrange(20000, 32000 - count)
        sockets = []
        try:
            for port in range(base, base + count):
                sockets.append(udp((host, port)))
            return sockets
        except OSError:
            for sock in sockets:
                sock.close()
    raise Wrong("no %d free ports in a row" % count)


def serve(options):
    sockets = [udp((options.host, 0))] if options.ports == 1 else consecutive(options.host, options.ports)
    for sock in sockets:
        print("ready udp %s:%d echo" % sock.getsockname(), flush=True)
    while True:
        for sock in select.select(sockets, [], [])[0]:
            data, peer = sock.recvfrom(65536)
            if data == WHICH:
                data = b"%d" % sockets.index(sock)
            elif data == SEEN:
                data = ("%s:%d" % peer).encode()
            elif data.startswith(FLOOD):
                flood_answer(sock, peer, int(data[len(FLOOD):]))
                continue
            try:
                sock.sendto(data, peer)
            except ConnectionError:
                pass


def flood_answer(sock, peer, count):
    """So many voice-like packets, two in a millisecond."""
    for n in range(count):
        sock.sendto(b"\x80\x00" + (n & 0xffff).to_bytes(2, "big") + b"v" * 160, peer)
        time.sleep(0.0005)


def flood(options):
    """Asks for many packets downwards and sends nothing itself meanwhile."""
    sock = udp(timeout=2)
    sock.sendto(FLOOD + b"%d" % options.count, address(options.dest[0]))
    came = 0
    try:
        while came < options.count:
            sock.recv(2048)
            came += 1
    except socket.timeout:
        pass
    print("%d of %d packets came" % (came, options.count))
    if came < options.count - options.count // 1000:
        raise Wrong("only %d of %d packets came" % (came, options.count))


def ask(sock, data, dest, what):
    """One datagram and the next that comes back."""
    sock.sendto(data, dest)
    try:
        return sock.recv(65536)
    except socket.timeout:
        raise Wrong("%s: no answer in %g s" % (what, sock.gettimeout()))


def probe(options):
    until = time.monotonic() + options.seconds
    sock = udp(timeout=0.2)
    while time.monotonic() < until:
        try:
            ask(sock, b"probe", address(options.dest[0]), "probe")
            return
        except (Wrong, ConnectionError):
            continue
    raise Wrong("nothing came back in %g s" % options.seconds)


def pingpong(options):
    """Many voice-like packets, each sent when the one before came back."""
    sock = udp(timeout=1)
    dest = address(options.dest[0])
    lost = 0
    for n in range(options.count):
        sock.sendto(b"\x80\x00" + (n & 0xffff).to_bytes(2, "big") + b"v" * 160, dest)
        try:
            sock.recv(2048)
        except socket.timeout:
            lost += 1
        time.sleep(options.gap / 1000)
    print("%d packets, %d lost" % (options.count, lost))
    if lost > options.count // 1000:
        raise Wrong("%d of %d packets lost" % (lost, options.count))


def sizes(options):
    sock = udp()
    dest = address(options.dest[0])
    for size in (int(s) for s in options.sizes.split(",")):
        for turn in range(options.repeat):
            data = os.urandom(size)
            came = ask(sock, data, dest, "%d bytes" % size)
            if came != data:
                raise Wrong("%d bytes: %d other bytes came back" % (size, len(came)))
    sock.settimeout(0.5)
    try:
        raise Wrong("%d bytes came back once more" % len(sock.recv(65536)))
    except socket.timeout:
        print("sizes %s, %d times each" % (options.sizes, options.repeat))


def sources(options):
    dest = address(options.dest[0])
    sockets = [udp() for _ in range(options.sources)]
    for turn in range(options.repeat):
        for i, sock in enumerate(sockets):
            sock.sendto(b"source %d turn %d" % (i, turn), dest)
    for i, sock in enumerate(sockets):
        want = {b"source %d turn %d" % (i, turn) for turn in range(options.repeat)}
        while want:
            try:
                data = sock.recv(65536)
            except socket.timeout:
                raise Wrong("source %d: %d answers did not come" % (i, len(want)))
            if data not in want:
                raise Wrong("source %d got %r" % (i, data))
            want.remove(data)
    print("%d sources, %d datagrams each" % (options.sources, options.repeat))


def ports(options):
    sock = udp()
    for index, dest in enumerate(options.dest):
        came = ask(sock, WHICH, address(dest), dest)
        if came != b"%d" % index:
            raise Wrong("%s reached port %s, not %d" % (dest, came.decode(), index))
    print("%d ports, each its own" % len(options.dest))


def seen(options):
    sock = udp(("127.0.0.1", options.bind), timeout=0.5)
    for _ in range(options.repeat * 5):
        try:
            print(ask(sock, SEEN, address(options.dest[0]), "seen").decode())
            return
        except (Wrong, ConnectionError):
            continue
    raise Wrong("no answer")


def call(options):
    """Each datagram asks whom the target sees; the echoes come in the order in which they may."""
    sock = udp(timeout=0)
    dest, begun, sent, came, last, gap, gap_at, ports_seen = address(options.dest[0]), time.monotonic(), 0, 0, None, 0, 0, set()
    end = begun + options.seconds
    while True:
        now = time.monotonic()
        if now < end and now >= begun + sent * 0.02:
            sock.sendto(SEEN, dest)
            sent += 1
        if select.select([sock], [], [], 0.002)[0]:
            try:
                ports_seen.add(sock.recv(2048))
            except ConnectionError:
                continue
            now = time.monotonic()
            if last is None:
                print("first", flush=True)
            else:
                if now - last > gap:
                    gap, gap_at = now - last, last - begun
            last = now
            came += 1
        if now >= end + 0.5:
            break
    if last is None:
        raise Wrong("nothing came back")
    if end - last > gap:
        gap, gap_at = end - last, last - begun
    print(json.dumps({"sent": sent, "lost": sent - came, "gap_ms": round(gap * 1000), "gap_at": round(gap_at, 2), "ports": len(ports_seen)}))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("verb", choices=("serve", "probe", "sizes", "sources", "ports", "seen", "pingpong", "flood", "call"))
    a.add_argument("dest", nargs="*")
    a.add_argument("--ports", type=int, default=1)
    a.add_argument("--host", default="127.0.0.1")
    a.add_argument("--seconds", type=float, default=10)
    a.add_argument("--sizes", default="0,1,1200,9000,65507")
    a.add_argument("--sources", type=int, default=20)
    a.add_argument("--repeat", type=int, default=3)
    a.add_argument("--count", type=int, default=1000)
    a.add_argument("--gap", type=float, default=0, help="ms between packets of pingpong")
    a.add_argument("--bind", type=int, default=0)
    options = a.parse_args()
    try:
        globals()[options.verb](options)
    except Wrong as e:
        sys.exit("datagrams %s: %s" % (options.verb, e))


if __name__ == "__main__":
    main()
