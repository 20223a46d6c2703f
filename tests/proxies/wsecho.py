#!/usr/bin/python3
"""wsecho: the control's server. TLS, a WebSocket (RFC 6455) that echoes; every other request
gets 426, /healthz 200. wsecho.py --cert F --key F; prints "ready tcp ADDR:PORT wsecho"."""
import argparse
import base64
import hashlib
import os
import socket
import ssl
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Broken, Reader, header, response  # noqa: E402

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def echo_frames(sock, reader):
    """Each frame of up to 65535 bytes goes back unmasked; ends after Close."""
    while True:
        first, second = reader.exactly(2)
        size = second & 0x7f
        if size == 126:
            size = int.from_bytes(reader.exactly(2), "big")
        mask = reader.exactly(4)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(reader.exactly(size)))
        head = bytes([first, size]) if size < 126 else bytes([first, 126]) + size.to_bytes(2, "big")
        sock.sendall(head + data)
        if first & 0x0f == 8:
            return


def serve(sock, context):
    try:
        sock.settimeout(30)
        sock = context.wrap_socket(sock, server_side=True)
        reader = Reader(sock)
        line, headers = reader.head()
        key = header(headers, "sec-websocket-key")
        if header(headers, "upgrade").lower() == "websocket" and key:
            accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
            sock.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Accept: %s\r\n\r\n" % accept).encode())
            echo_frames(sock, reader)
        elif line.split(" ")[1] == "/healthz":
            sock.sendall(response(200, "OK", "ok\n", "1.1"))
        else:
            sock.sendall(response(426, "Upgrade Required", "a WebSocket is needed here\n", "1.1"))
    except (Broken, OSError, ValueError, IndexError):
        pass
    finally:
        sock.close()


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--cert", required=True)
    a.add_argument("--key", required=True)
    options = a.parse_args()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.key)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print("ready tcp %s:%d wsecho" % listener.getsockname(), flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock, context), daemon=True).start()


if __name__ == "__main__":
    main()
