#!/usr/bin/python3
"""Echo servers and the clients that check them, for the tests of the peer.  Standard library only.

    echo.py serve                          UDP and TCP echo on 127.0.0.1; prints `ready udp|tcp|dead|half PORT`
    echo.py udp PORT COUNT [LEAST]         COUNT datagrams; at least LEAST (default COUNT) must come back, none twice,
                                           and some of the last twenty
    echo.py tcp PORT OCTETS                sends OCTETS while reading, ends, compares the SHA-256 of what comes back
    echo.py half PORT OCTETS               sends OCTETS, ends its half, then expects `OCTETS SHA256` and the end
    echo.py many PORT OCTETS               ten of `tcp` at the same time
    echo.py refused PORT                   expects that the connection is reset or ends without a byte
    echo.py reset PORT                     resets a connection in the middle, then checks that a new one works

`half` servers answer only after the end of what they read: a TCP half-close must pass through for them.
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import sys
import threading
import time

LOOPBACK = "127.0.0.1"
PATIENCE = float(os.environ.get("ECHO_PATIENCE", "30"))
PAUSE = float(os.environ.get("ECHO_PAUSE", "0.005"))   # between two datagrams


# ---------------------------------------------------------------- servers

def serve_udp(sock: socket.socket) -> None:
    while True:
        data, address = sock.recvfrom(65_535)
        sock.sendto(data, address)


def echo_until_end(sock: socket.socket) -> None:
    while data := sock.recv(65_536):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def answer_after_end(sock: socket.socket) -> None:
    count, digest = 0, hashlib.sha256()
    while data := sock.recv(65_536):
        count += len(data)
        digest.update(data)
    time.sleep(0.3)   # the half-closed channel carries the other direction for as long as it likes
    sock.sendall(f"{count} {digest.hexdigest()}\n".encode())
    sock.shutdown(socket.SHUT_WR)


def serve_tcp(listener: socket.socket, talk) -> None:
    def one(sock: socket.socket) -> None:
        try:
            with sock:
                talk(sock)
        except OSError:
            pass
    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


def serve() -> None:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((LOOPBACK, 0))
    echo, half = socket.create_server((LOOPBACK, 0)), socket.create_server((LOOPBACK, 0))
    for target, arguments in ((serve_udp, (udp,)), (serve_tcp, (echo, echo_until_end)),
                              (serve_tcp, (half, answer_after_end))):
        threading.Thread(target=target, args=arguments, daemon=True).start()
    dead = socket.socket()
    dead.bind((LOOPBACK, 0))   # nobody else gets this port, and nothing listens at it
    for name, sock in (("udp", udp), ("tcp", echo), ("dead", dead), ("half", half)):
        print(f"ready {name} {sock.getsockname()[1]}", flush=True)
    threading.Event().wait()


# ---------------------------------------------------------------- clients

def check(condition: bool, what: str) -> None:
    if not condition:
        print("echo:", what, file=sys.stderr)
        sys.exit(1)


def check_udp(port: int, count: int, least: int) -> None:
    """Datagrams of sizes up to 1,200 octets, one in twenty of 9,004, and an empty one."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((LOOPBACK, port))
    sent = {struct.pack(">I", n) + os.urandom(n * 37 % 1_200 if n % 20 else 9_000) for n in range(count - 1)} | {b""}
    got: list[bytes] = []
    reading = threading.Thread(target=collect, args=(sock, got, len(sent)), daemon=True)
    reading.start()
    for payload in sorted(sent):
        try:
            sock.send(payload)
        except OSError:
            pass   # ICMP from an earlier one
        time.sleep(PAUSE)
    reading.join(PATIENCE)
    check(len(got) == len(set(got)), "a datagram came twice")
    check(set(got) <= sent, "a datagram came that was not sent")
    check(bool(set(sorted(sent)[-20:]) & set(got)), f"none of the last datagrams came back, only {len(got)} before")
    check(len(got) >= least, f"only {len(got)} of {len(sent)} datagrams came back")


def collect(sock: socket.socket, got: list[bytes], count: int) -> None:
    sock.settimeout(PATIENCE / 3)
    try:
        while len(got) < count:
            got.append(sock.recv(65_535))
        sock.settimeout(0.3)   # none must come twice
        got.append(sock.recv(65_535))
    except (TimeoutError, OSError):
        pass


def connect(port: int) -> socket.socket:
    sock = socket.create_connection((LOOPBACK, port), timeout=PATIENCE)
    sock.settimeout(PATIENCE)
    return sock


def check_tcp(port: int, octets: int) -> None:
    sock, data, back = connect(port), os.urandom(octets), hashlib.sha256()

    def send() -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    count = 0
    while piece := sock.recv(65_536):
        back.update(piece)
        count += len(piece)
    check(count == octets, f"{count} of {octets} octets came back")
    check(back.digest() == hashlib.sha256(data).digest(), "other octets came back")


def check_many(port: int, octets: int) -> None:
    failures: list[str] = []

    def one() -> None:
        try:
            check_tcp(port, octets)
        except (OSError, SystemExit) as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=one, daemon=True) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    check(not failures and not any(thread.is_alive() for thread in threads), f"failures {failures}")


def check_half(port: int, octets: int) -> None:
    sock, data = connect(port), os.urandom(octets)
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
    answer = b""
    while piece := sock.recv(65_536):
        answer += piece
    check(answer == f"{octets} {hashlib.sha256(data).hexdigest()}\n".encode(), f"answer was {answer!r}")


def check_refused(port: int) -> None:
    try:
        check(connect(port).recv(1) == b"", "a byte came from nowhere")
    except ConnectionError:
        pass


def check_reset(port: int) -> None:
    sock = connect(port)
    sock.sendall(b"x" * 100_000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    check_tcp(port, 10_000)


def main() -> None:
    what, numbers = sys.argv[1], [int(a) for a in sys.argv[2:]]
    try:
        if what == "serve":
            serve()
        elif what == "udp":
            check_udp(numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else numbers[1])
        else:
            {"tcp": check_tcp, "many": check_many, "half": check_half, "refused": check_refused,
             "reset": check_reset}[what](*numbers)
    except OSError as error:
        check(False, f"{what}: {error!r}")


if __name__ == "__main__":
    main()
