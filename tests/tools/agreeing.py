#!/usr/bin/python3
"""agreeing: a box that ends TLS in front of a server and agrees to HTTP/2, but cannot speak it.

    agreeing.py --cert FILE --key FILE --to ADDR:PORT [--likes h2|http/1.1] [--silent]     prints "ready tcp ADDR:PORT box"

Of what is offered it takes what it likes, else the other. A connection of HTTP/2 is closed when its first bytes came, or never answered (--silent);
one of HTTP/1.1 is passed on.
"""
import argparse
import socket
import ssl
import threading


def copy(source, sink):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(raw, inner, options):
    outer = None
    try:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        outer = inner["front"].wrap_socket(raw, server_side=True)
        if outer.selected_alpn_protocol() == "h2":
            while outer.recv(100) and options.silent:
                pass
            outer.close()
            return
        host, port = options.to.rsplit(":", 1)
        to = socket.create_connection((host, int(port)))
        to.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = inner["back"].wrap_socket(to)
        threading.Thread(target=copy, args=(outer, back), daemon=True).start()
        copy(back, outer)
    except OSError:
        (outer or raw).close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--likes", default="h2", choices=("h2", "http/1.1"))
    parser.add_argument("--silent", action="store_true")
    options = parser.parse_args()
    contexts = {"front": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "back": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
    contexts["front"].load_cert_chain(options.cert, options.key)
    contexts["front"].set_alpn_protocols([options.likes, "http/1.1" if options.likes == "h2" else "h2"])
    contexts["back"].check_hostname = False
    contexts["back"].verify_mode = ssl.CERT_NONE
    contexts["back"].set_alpn_protocols(["http/1.1"])
    listener = socket.create_server(("127.0.0.1", 0))
    print("ready tcp %s:%d box" % listener.getsockname(), flush=True)
    while True:
        raw, _ = listener.accept()
        threading.Thread(target=serve, args=(raw, contexts, options), daemon=True).start()


main()
