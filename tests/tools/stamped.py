#!/usr/bin/python3
"""stamped: datagrams to the service culvert.echo (PROTOCOL.md section 6.4).

    check DEST              stamped ones come back with the server's clock, others as they were
    burst DEST --count N    sends N at 500/s; prints how many came back, as a number

DEST is ADDR:PORT. Exit status 0 when it holds; else a sentence on standard error, status 1.
"""
import argparse
import os
import socket
import struct
import sys
import time

MAGIC = 0x43456368


def opened():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.settimeout(3)
    return sock


def ask(sock, data, dest):
    sock.sendto(data, dest)
    try:
        return sock.recv(65536)
    except socket.timeout:
        sys.exit("no answer to %d bytes" % len(data))


def clock_of(sock, dest, sequence):
    data = struct.pack(">IIII", MAGIC, sequence, 0xfedcba98, 0) + os.urandom(156)
    came = ask(sock, data, dest)
    if came[:12] != data[:12] or came[16:] != data[16:]:
        sys.exit("a stamped datagram came back changed: %r" % came[:20])
    return struct.unpack(">I", came[12:16])[0]


def check(dest):
    sock = opened()
    before = clock_of(sock, dest, 1)
    time.sleep(0.2)
    passed = (clock_of(sock, dest, 2) - before) % 2**32
    if not 200000 <= passed < 3000000:
        sys.exit("the server's clock went on by %d us in 200 ms" % passed)
    stamp = struct.pack(">IIII", MAGIC, 3, 0, 0)
    for data in (b"", b"x", stamp[:15], b"y" * 16, b"\0" + stamp, os.urandom(1400), os.urandom(9000)):
        if ask(sock, data, dest) != data:
            sys.exit("a datagram of %d bytes came back changed" % len(data))


def burst(dest, count):
    sock = opened()
    sock.setblocking(False)
    began, came = time.monotonic(), 0
    for n in range(count):
        sock.sendto(struct.pack(">IIII", MAGIC, n, 0, 0) + b"v" * 156, dest)
        time.sleep(max(0, began + n / 500 - time.monotonic()))
        came += drain(sock)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        time.sleep(0.02)
        came += drain(sock)
    print(came)


def drain(sock):
    came = 0
    try:
        while sock.recv(65536):
            came += 1
    except BlockingIOError:
        pass
    return came


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("verb", choices=("check", "burst"))
    a.add_argument("dest")
    a.add_argument("--count", type=int, default=1000)
    options = a.parse_args()
    host, port = options.dest.rsplit(":", 1)
    if options.verb == "check":
        check((host, int(port)))
    else:
        burst((host, int(port)), options.count)


if __name__ == "__main__":
    main()
