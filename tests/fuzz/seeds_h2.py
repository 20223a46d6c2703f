#!/usr/bin/env python3
"""Writes the seeds of fuzz_h2.c below tests/fuzz/corpus, after RFC 9113; see seeds.py."""
from seeds import WAIT, write


def h2():
    frame = lambda kind, flags, stream, payload=b"", how=0, send=1: bytes([how << 3 | send << 7, kind, flags, stream, len(payload)]) + payload
    get = b"\x82\x87\x84\x41\x01h"
    post = b"\x83\x87\x04\x02/p\x41\x01h"
    wait = lambda ms: bytes([4, WAIT[ms]])
    act = lambda how, slot, *rest: bytes([5 | how << 3, slot, *rest])
    window = lambda stream, n: frame(8, 0, stream, n.to_bytes(4, "big"))
    for manner in range(8):
        server = bytes([2 | manner << 2])
        write("h2", "server-get-%d" % manner, server + frame(1, 5, 1, get) + wait(10) + frame(4, 1, 0) + act(1, 0) + wait(10))
        write("h2", "server-post-%d" % manner, server + frame(1, 4, 1, post) + frame(0, 0, 1, b"hello world") + wait(10) + act(0, 0) +
              window(0, 1000) + frame(0, 1, 1, b"!") + act(1, 0) + act(3, 0) + wait(10))
        client = bytes([3 | manner << 2])
        write("h2", "client-%d" % manner, client + b"\x86" + b"\6" + wait(10) + frame(4, 1, 0) + frame(1, 4, 1, b"\x88\x5f\x01a") +
              frame(0, 0, 1, b"hello world") + act(0, 0) + frame(0, 1, 1, b"!") + act(1, 0) + frame(3, 0, 3, b"\0\0\0\7") + wait(10))
    server, client = b"\x02", b"\x03"
    seeds = {
        "server-raw": b"\0" + b"\3\x21" + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) + frame(1, 5, 1, get),
        "server-octets": b"\x22" + frame(1, 5, 1, get) * 3 + wait(100),
        "server-continuation": server + frame(1, 0, 1, get[:3]) + frame(9, 4, 1, get[3:]) + frame(1, 0, 3, get) + frame(9, 0, 3, how=7) + wait(10),
        "server-resets": b"\x0a" + (frame(1, 5, 1, get, how=7) + frame(3, 0, 1, b"\0\0\0\x08", how=7)) + wait(10),
        "server-pings": server + frame(6, 0, 0, b"pingpong", how=15) + wait(1000),
        "server-settings": server + frame(4, 0, 0, b"\0\4\0\0\0\0\0\1\0\0\0\0", how=15) + frame(1, 5, 1, get) + wait(10),
        "server-trailers": b"\x0a" + frame(1, 4, 1, post) + frame(0, 8, 1, b"\3abc\0\0\0") + frame(1, 5, 1, b"\0\1a\1b") + wait(10) + act(1, 0),
        "server-connect": b"\x1a" + frame(1, 4, 1, b"\2\7CONNECT\x87\x84\x41\1h\0\x09:protocol\x09websocket") + act(0, 0) + frame(0, 0, 1, b"\x82\0") +
                          wait(10) + act(1, 0),
        "server-bomb": server + frame(1, 5, 1, get + b"\x40\1x\x64" + b"y" * 100 + b"\xbe" * 70) + frame(1, 5, 3, get + b"\xbe" * 150) + wait(10),
        "server-large": b"\x0a" + frame(1, 4, 1, post) + bytes([0x80, 0, 0, 1, 250, 65]) * 9 + wait(100) + act(1, 0),
        "server-priority": server + frame(2, 0, 1, b"\0\0\0\1\x10", how=9) + frame(16, 0, 0, b"\0\0\0\1u=1, i") + frame(1, 5, 1, get) + wait(10),
        "server-drain": b"\x0a" + frame(1, 4, 1, post) + b"\x17" + wait(100) + frame(1, 5, 3, get) + act(1, 0) + wait(10000),
        "server-slow": b"\x06" + frame(4, 0, 0, b"\0\4\0\0\0\0") + frame(1, 5, 1, get) + wait(70000) + wait(70000),
        "server-idle": server + wait(10000) + wait(70000) + wait(70000),
        "server-goaway": b"\x0a" + frame(1, 4, 1, post) + frame(7, 0, 0, bytes(8)) + act(1, 0) + wait(10),
        "client-goaway": client + b"\6\6\6" + wait(10) + frame(7, 0, 0, b"\0\0\0\1\0\0\0\0") + frame(1, 5, 1, b"\x88") + wait(10) + b"\6",
        "client-refused": client + b"\6\6" + wait(10) + frame(3, 0, 1, b"\0\0\0\7") + frame(1, 5, 3, b"\x8d") + wait(10),
        "client-interim": client + b"\6" + wait(10) + frame(1, 4, 1, b"\x08\x03100") + frame(1, 4, 1, b"\x88") + frame(0, 1, 1, b"x") + wait(10),
        "client-push": client + b"\6" + wait(10) + frame(5, 4, 1, b"\0\0\0\2" + get) + frame(1, 5, 2, b"\x88") + wait(10),
        "client-few": client + frame(4, 0, 0, b"\0\3\0\0\0\1\0\4\0\0\0\1\0\x08\0\0\0\1") + b"\6\6\6" + wait(10) + window(1, 100) + frame(1, 5, 1, b"\x88") + wait(10),
        "client-connect": b"\x1b" + frame(4, 0, 0, b"\0\x08\0\0\0\1") + b"\6" + wait(10) + frame(1, 4, 1, b"\x88") + frame(0, 0, 1, b"\x82\1x") + act(0, 0) + wait(10),
        "client-silent": client + b"\6" + wait(31000) + wait(10000),
        "client-early": b"\x07" + b"\6" + wait(10) + frame(1, 5, 1, b"\x88") + frame(3, 0, 1, bytes(4)) + b"\6" + wait(10),
    }
    for name, data in seeds.items():
        write("h2", name, data)


if __name__ == "__main__":
    h2()
