#!/usr/bin/python3
"""scripted: a proxy that answers every request in one way, to see what the helper makes of it.

    scripted.py 403 | 407 | 502 | nonsense | close | silence | page
403, 407, 502: a refusal with an HTML page; nonsense: bytes that are no HTTP; close: ends the connection; silence: says
nothing; page: answers CONNECT with 200 and a page of its own, as a captive portal does.
Prints "ready tcp ADDR:PORT scripted", then the first line of each request.
"""
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Broken, Reader, response  # noqa: E402

PAGE = "<html><body><h1>%s</h1>The rules of this network do not allow this.</body></html>\n"


def answer(how):
    if how == "403":
        return response(403, "Forbidden", PAGE % how, "1.1")
    if how == "407":
        return response(407, "Proxy Authentication Required", PAGE % how, "1.1", ['Proxy-Authenticate: Basic realm="office"'])
    if how == "502":
        return response(502, "Bad Gateway", PAGE % how, "1.1")
    if how == "page":
        return response(200, "OK", PAGE % "Please log in", "1.1")
    if how == "nonsense":
        return b"\x00\x01\x02 220 mail.example ESMTP ready\r\n\r\n" * 3
    return b""


def serve(sock, how):
    try:
        sock.settimeout(30)
        print(Reader(sock).head()[0], flush=True)
        if how == "silence":
            time.sleep(30)
        sock.sendall(answer(how))
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
    except (Broken, OSError):
        pass
    finally:
        sock.close()


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print("ready tcp %s:%d scripted" % listener.getsockname(), flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock, sys.argv[1]), daemon=True).start()


if __name__ == "__main__":
    main()
