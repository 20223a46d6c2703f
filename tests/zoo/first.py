#!/usr/bin/python3
"""first: when does the first datagram get through?

Chooses a local port for the tunnel's entrance and a target; prints "ready udp ADDR:PORT target" and "ready udp ADDR:PORT
entrance". From then on it sends to the entrance every 20 ms, whether anybody listens there or not. A line on standard
input says that the helper is being started now; when something arrives at the target it prints JSON: first_ms since that
line, open_ms until the entrance took a datagram."""
import json
import select
import socket
import sys
import time

EVERY = 0.02


def bound():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


def main():
    target, free = bound(), bound()
    entrance = free.getsockname()
    free.close()
    print("ready udp %s:%d target" % target.getsockname())
    print("ready udp %s:%d entrance" % entrance, flush=True)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(entrance)
    told = opened = None
    refused = True
    due = time.monotonic()
    while True:
        now = time.monotonic()
        if now >= due:
            if told and not refused and opened is None:
                opened = due - EVERY
            try:
                sock.send(b"first")
                refused = False
            except ConnectionRefusedError:  # what the one before met
                refused = True
            due += EVERY
        ready, _, _ = select.select([target] + ([sys.stdin] if not told else []), [], [], max(0, due - time.monotonic()))
        if sys.stdin in ready:
            if not sys.stdin.readline():
                return
            told = time.monotonic()
        if target in ready and told:
            break
    print(json.dumps({"first_ms": round((time.monotonic() - told) * 1000, 1),
                      "open_ms": round(((opened or now) - told) * 1000, 1)}), flush=True)


if __name__ == "__main__":
    main()
