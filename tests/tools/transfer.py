#!/usr/bin/python3
"""transfer: a download by TCP and its rate.

    serve ADDR:PORT [--bytes N] [--congestion NAME]
                                  prints "ready tcp ADDR:PORT file"; sends N bytes to whoever connects, and closes
    fetch ADDR:PORT               reads to the end; prints JSON, at SIGTERM, too: bytes, seconds, whole
"""
import argparse
import json
import signal
import socket
import sys
import threading
import time

PIECE = b"\0" * 65536


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def send(sock, count):
    try:
        while count:
            count -= sock.send(PIECE[:count])
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)
    except OSError:
        pass
    sock.close()


def serve(options):
    listener = socket.create_server(address(options.where), backlog=64)
    if options.congestion:
        try:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, options.congestion.encode())
        except OSError as error:
            print("no %s here: %s" % (options.congestion, error), file=sys.stderr)
    print("ready tcp %s:%d file" % listener.getsockname(), flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=send, args=(sock, options.bytes), daemon=True).start()


def fetch(options):
    got, whole, began = 0, False, time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        sock = socket.create_connection(address(options.where))
        while not whole:
            data = sock.recv(65536)
            got += len(data)
            whole = not data
    finally:
        print(json.dumps({"bytes": got, "seconds": time.monotonic() - began, "whole": whole}), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=("serve", "fetch"))
    parser.add_argument("where")
    parser.add_argument("--bytes", type=int, default=5000000)
    parser.add_argument("--congestion")
    options = parser.parse_args()
    (serve if options.verb == "serve" else fetch)(options)


if __name__ == "__main__":
    main()
