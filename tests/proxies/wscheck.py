#!/usr/bin/python3
"""wscheck: does a WebSocket pass through a proxy? CONNECT, TLS, upgrade, and one message there and back.

wscheck.py --proxy HOST:PORT --server HOST:PORT --cafile F
Prints one line: "101, a message went there and back", "426 ...", or what else happened.
Exit status: 0 when it passes, 1 when it does not.
"""
import argparse
import base64
import os
import socket
import ssl
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Broken, Reader, host_port  # noqa: E402


def attempt(options):
    """(passed, what happened)"""
    host, port = host_port(options.server, 443)
    sock = socket.create_connection(host_port(options.proxy, 3128), timeout=5)
    sock.sendall(("CONNECT %s:%d HTTP/1.1\r\nHost: %s:%d\r\n\r\n" % (host, port, host, port)).encode())
    line, _ = Reader(sock).head()
    if line.split(" ")[1] != "200":
        return False, "CONNECT was answered: " + line
    sock = ssl.create_default_context(cafile=options.cafile).wrap_socket(sock, server_hostname=host)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(("GET /echo HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % (host, port, key)).encode())
    reader = Reader(sock)
    line, _ = reader.head()
    if line.split(" ")[1] != "101":
        return False, line.split(" ", 1)[1]
    message, mask = b"there and back", os.urandom(4)
    sock.sendall(bytes([0x81, 0x80 | len(message)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(message)))
    if reader.exactly(2 + len(message)) != bytes([0x81, len(message)]) + message:
        return False, "101, but the message was changed"
    return True, "101, a message went there and back"


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--proxy", required=True)
    a.add_argument("--server", required=True)
    a.add_argument("--cafile", required=True)
    try:
        passed, text = attempt(a.parse_args())
    except (Broken, OSError, IndexError) as e:
        passed, text = False, "no answer: %s" % e
    print(text)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
