#!/usr/bin/python3
"""signalling: a TCP echo with checksums.

    signalling.py serve                     prints "ready tcp ADDR:PORT echo"; sends back what comes, half-close included
    signalling.py check ADDR:PORT [--bytes N] [--seconds S] [--connections K] [--label L]

check sends N random bytes on each of K connections at an even pace over S seconds (0: at once), ends its direction, and
reads the echo to its end. Prints JSON: bytes sent and received, intact (the SHA-256 of both are equal on every
connection), seconds. Exit status 0 when intact.
"""
import argparse
import hashlib
import json
import os
import socket
import sys
import threading
import time

PIECE = 16384


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def echo(sock):
    try:
        while True:
            data = sock.recv(65536)
            if not data:
                break
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    sock.close()


def serve(_):
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print("ready tcp %s:%d echo" % listener.getsockname(), flush=True)
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=echo, args=(sock,), daemon=True).start()


class Exchange(threading.Thread):
    """One connection: this thread sends, another one receives."""

    def __init__(self, options):
        super().__init__(daemon=True)
        self.options = options
        self.sent = self.received = 0
        self.up, self.down = hashlib.sha256(), hashlib.sha256()
        self.error = None

    def run(self):
        try:
            self.sock = socket.create_connection(address(self.options.dest), timeout=self.options.timeout)
            reader = threading.Thread(target=self.receive, daemon=True)
            reader.start()
            self.send()
            self.sock.shutdown(socket.SHUT_WR)
            reader.join()
            self.sock.close()
        except OSError as e:
            self.error = self.error or "sending: %s" % e

    def send(self):
        began, total = time.monotonic(), self.options.bytes
        while self.sent < total:
            data = os.urandom(min(PIECE, total - self.sent))
            self.up.update(data)
            self.sock.sendall(data)
            self.sent += len(data)
            ahead = began + self.options.seconds * self.sent / total - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)

    def receive(self):
        try:
            while True:
                data = self.sock.recv(65536)
                if not data:
                    return
                self.down.update(data)
                self.received += len(data)
        except OSError as e:
            self.error = "receiving: %s" % e

    def intact(self):
        return not self.error and self.sent == self.options.bytes and self.up.digest() == self.down.digest()


def check(options):
    began = time.monotonic()
    exchanges = [Exchange(options) for _ in range(options.connections)]
    for e in exchanges:
        e.start()
    for e in exchanges:
        e.join()
    intact = all(e.intact() for e in exchanges)
    result = {"label": options.label, "sent": sum(e.sent for e in exchanges), "received": sum(e.received for e in exchanges),
              "intact": intact, "seconds": round(time.monotonic() - began, 3)}
    errors = sorted({e.error for e in exchanges if e.error})
    if errors:
        result["errors"] = errors
    print(json.dumps(result, separators=(",", ":")), flush=True)
    sys.exit(0 if intact else 1)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = a.add_subparsers(dest="verb", required=True)
    verbs.add_parser("serve").set_defaults(run=serve)
    c = verbs.add_parser("check")
    c.set_defaults(run=check)
    c.add_argument("dest")
    c.add_argument("--bytes", type=int, default=20000)
    c.add_argument("--seconds", type=float, default=0)
    c.add_argument("--connections", type=int, default=1)
    c.add_argument("--timeout", type=float, default=60, help="seconds without a byte")
    c.add_argument("--label", default="")
    options = a.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
