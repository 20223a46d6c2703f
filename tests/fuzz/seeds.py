#!/usr/bin/env python3
"""Writes the seed corpora below tests/fuzz/corpus, after PROTOCOL.md and RFC 9112.

Run it after a change of the wire format; what fuzzing finds beyond the seeds
goes into the corpora by hand, under a name that says what it is.
"""
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def write(target, name, data):
    os.makedirs(os.path.join(HERE, target), exist_ok=True)
    with open(os.path.join(HERE, target, name), "wb") as f:
        f.write(data)


def varint(v, length=0):
    for bits, n in ((6, 1), (14, 2), (30, 4), (62, 8)):
        if v < 1 << bits and n >= length:
            return (v | {1: 0, 2: 1, 4: 2, 8: 3}[n] << (8 * n - 2)).to_bytes(n, "big")
    raise ValueError(v)


def block(data):
    return varint(len(data)) + data


def capsule(kind, value=b""):
    return varint(kind) + block(value)


def record(number, *capsules, clock=1000):
    return capsule(1, varint(number) + struct.pack("!I", clock) + b"".join(capsules))


def number_params(**pairs):
    return b"".join(varint(int(k[1:])) + block(varint(v)) for k, v in pairs.items())


def records():
    hello = capsule(8, b"\1\1\0" + number_params(p1=64, p2=1 << 20, p3=1 << 18, p4=8000) + varint(6) + block(b"culvert 0.1"))
    welcome = capsule(9, b"\1\0" + b"n" * 8 + b"e" * 8 + number_params(p1=64, p5=60000))
    farewell = b"\5\0\1\1" + block(b"https://other.example/c") + block(b"reason")
    open_ = capsule(16, b"\2\0\0" + block(b"voice-1") + number_params(p16=3, p17=1, p18=200, p20=65536))
    seeds = {
        "hello": record(0, hello),
        "welcome": record(0, welcome, capsule(3, b"\0\x40\x64\1\0\0")),
        "farewells": record(1, *(capsule(t, farewell) for t in (10, 11, 12))),
        "open-types": record(2, capsule(16, b"\2\0\0" + block(b"v") + number_params(p21=2) + varint(22) + block(b"\0\x08\x6f")),
                             capsule(17, b"\2" + number_params(p21=1) + varint(23) + block(bytes(range(96, 128))))),
        "open": record(2, open_, capsule(17, b"\2" + number_params(p17=1, p19=30000)), capsule(18, b"\4\x0a" + block(b"no"))),
        "datagrams": record(3, capsule(0, b"\x08\0\1rtp"), capsule(0, b"\x09\0\0\2rtp"), capsule(0, b"\x0a\0\0\0\3rtp"),
                            capsule(0, b"\x0b\0\0\0\4\x0crtp")),
        "streams": record(4, capsule(19, b"\x08\0abc"), capsule(19, b"\x09\x03def"), capsule(20, b"\4\x40\x64\x80\1\0\0"),
                          capsule(21, b"\x80\x10\0\0\x08")),
        "ends": record(5, capsule(22, b"\4\x08\x40\x64" + block(b"x")), capsule(23, b"\2\x11" + block(b""))),
        "receipts": record(6, capsule(3, b"\0\0\3\x16\2\1\2\x0a\0"), capsule(3, varint(65535) + b"\0\1\0\0")),
        "liveness": record(7, capsule(4, b"\7"), capsule(5, b"\7"), capsule(6, b"\1\2\0\0\0\1\xbf\x9c\xf9\x68foobar"),
                           capsule(7, b"\1\2\0\0\0\1\1"), capsule(2, bytes(5)),
                           capsule(24, b"\7\1\x0b\2\x40\x64" + block(b"1.1 proxy"))),
        "pads": capsule(2) + capsule(2, bytes(300)) + capsule(0x99, b"skipped") + record(8) + record(9, capsule(0x99, b"?")),
        "long-varints": varint(1, 8) + varint(14, 4) + varint(10, 8) + bytes(4) + varint(4, 2) + b"",
        "large": record(10, capsule(19, b"\4\0" + bytes(5000)), capsule(0, b"\x08\0\1" + bytes(3000))),
        "nested": record(11, record(12)),
        "crossing": record(13, b"\0\x0a" + b"x"),
        "repeated-parameter": record(14, capsule(8, b"\1\1\0" + number_params(p1=1) * 2)),
        "html": b"<!DOCTYPE html><title>Login</title>",
    }
    for name, data in seeds.items():
        write("record", name, b"\1\6" + data)


def http1():
    requests = {
        "get": b"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n",
        "post": b"POST http://h/p HTTP/1.0\r\nHost: h\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc",
        "chunked": b"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nT: u\r\n\r\n",
        "pipeline": b"GET /1 HTTP/1.1\r\n\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 1\r\n\r\nxGET /3 HTTP/1.1\r\n\r\n",
        "upgrade": b"GET /w HTTP/1.1\r\nConnection: Upgrade, keep-alive\r\nUpgrade: websocket\r\n\r\n",
        "connect": b"CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\nProxy-Authorization: Basic eDp5\r\n\r\n",
        "smuggle": b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "folded": b"GET / HTTP/1.1\r\nX: a\r\n b\r\nY : z\r\n\r\n",
    }
    responses = {
        "ok": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "until-close": b"HTTP/1.0 200 OK\r\nProxy-Connection: close\r\n\r\nto the end",
        "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 None\r\n\r\n",
        "switching": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\1x",
        "proxy-auth": b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Negotiate, Basic realm=\"x\"\r\nContent-Length: 2\r\n\r\nno",
    }
    for name, data in requests.items():
        write("http1", "request-" + name, b"\0\4" + data)
    for name, data in responses.items():
        write("http1", "response-" + name, b"\1\4" + data)
    write("http1", "response-to-head", b"\3\4HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    write("http1", "response-to-connect", b"\5\4HTTP/1.0 200 Connection established\r\n\r\n\x16\3\1")


def classify():
    rtp = bytes.fromhex("80e0123400010203cafebabe01020304")
    rtcp = bytes.fromhex("80c80006cafebabe") + bytes(20)
    stun = bytes.fromhex("000100002112a442") + bytes(12)
    attrs = bytes.fromhex("00120008000100010a000001") + struct.pack("!HH", 0x13, len(rtp)) + rtp
    for name, data in {
        "rtp": rtp,
        "rtcp": rtcp,
        "stun": stun,
        "zrtp": bytes.fromhex("100000015a525450") + bytes(8),
        "dtls": bytes.fromhex("16feff") + bytes(12),
        "channel-data": struct.pack("!HH", 0x4001, len(rtp)) + rtp,
        "indication": bytes.fromhex("0017") + struct.pack("!H", len(attrs)) + bytes.fromhex("2112a442") + bytes(12) + attrs,
    }.items():
        write("classify", name, data)
    # Flows: the rules, then each datagram behind its length in fours.
    datagram = lambda data: bytes([(len(data) + 3) // 4]) + data + bytes(-len(data) % 4)
    rtp = lambda kind, number, time, ssrc, size: datagram(struct.pack("!BBHII", 128, kind, number, time, ssrc) + bytes(size))
    flows = {
        "flow-audio": b"\0" + b"".join(rtp(111, 65530 + i & 65535, 960 * i, 7, 60) for i in range(14)),
        "flow-video": b"\0" + b"".join(rtp(96 | (i % 3 == 2) << 7, i, 3000 * (i // 3), 8, 300) for i in range(9)),
        "flow-bundle": b"\0" + b"".join(rtp(111, i, 960 * i, 7, 60) + rtp(96, 2 * i, 3000 * i, 8, 400) + rtp(97, i, 3000 * (i ^ 3), 9, 120)
                                       for i in range(5)),
        "flow-ssrcs": b"\0" + b"".join(rtp(100, i, 0, 77 * i, 20) for i in range(40)),
        "flow-types": b"\xe6" + rtp(0, 1, 160, 1, 160) + rtp(34, 1, 160, 2, 160) + rtp(102, 1, 160, 3, 160),
        "flow-dtls": b"\0" + datagram(bytes.fromhex("16feff") + bytes(40)) + datagram(b"\x2f" + bytes(39)) * 70 + datagram(b"\x17\xfe\xfd" + bytes(40)),
    }
    for name, data in flows.items():
        write("classify", name, data)


def base64():
    for name, data in {"padded": b"\0Zm9vYg==", "plain": b"\0Zm9vYmFy", "url": b"\1-_8", "bent": b"\0Zm9vYh=="}.items():
        write("base64", name, data)


def challenge():
    digest = b'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj", opaque="FQhe/q"'
    for name, data in {
        "basic": b'Basic realm="a \\"b\\" \\\\", charset="UTF-8"',
        "digest": digest + b", stale=TRUE, userhash=true",
        "list": b"Negotiate, NTLM, " + digest + b", Basic realm=x",
        "lines": b"Negotiate\n" + digest + b"\nBasic realm=\"p\"\nNTLM",
        "token": b"NTLM TlRMTVNTUAACAAAA==, Negotiate oYG2+/~.-_=",
        "bent": b',, @, realm="stray" , Basic realm=two words, NTLM =, Digest nonce="no end, NTLM',
        "info": b'nextnonce="next, please", qop=auth, rspauth="6629fae4", cnonce="0a4f", nc=00000001',
    }.items():
        write("challenge", name, data)


def pac_result():
    for name, data in {
        "usual": b"PROXY a.example:3128; PROXY b.example:3128; DIRECT",
        "kinds": b"HTTPS c; SOCKS5 [2001:db8::1]:1081; SOCKS 192.0.2.1;HTTP d:8080",
        "junk": b"SOCKS4 a:1;; PROXY me:pw@b:1 ;\tdirect\r\n; QUIC x; PROXY a:0",
        "many": b";".join(b"PROXY a:%d" % i for i in range(1, 12)),
        "undefined": b"undefined",
    }.items():
        write("pac_result", name, data)


def auth():
    digest = lambda nonce, rest=b"": b'Digest realm="r", qop="auth", nonce="' + nonce + b'"' + rest + b"\n"
    for name, answers in {
        "basic": [b'1Basic realm="x"\n', b"0", b"2", b"0"],
        "rejected": [b"1Basic realm=x\n"] * 4,
        "digest": [b"1" + digest(b"n1") + b"NTLM, Basic realm=x\n", b"0", b"3" + digest(b"n2", b", stale=true, algorithm=MD5-sess"), b"2", b"0"],
        "strongest": [b"1" + digest(b"a", b", algorithm=MD5") + digest(b"b", b", algorithm=SHA-512-256, userhash=true, charset=UTF-8"), b"0"],
        "next": [b"1" + digest(b"n1"), b'0!nextnonce="n2", qop=auth\n', b'0!nextnonce="n\\"3"\n', b"2"],
        "both": [b"1Basic realm=x\n", b"3Basic realm=x\n", b"0", b"3" + digest(b"n"), b"2", b"7Basic\n", b"6"],
        "stale": [b"1" + digest(bytes([97 + i]), b", stale=true") for i in range(12)],
        "refused": [b"1Bearer\n", b"1" + digest(b"n", b", algorithm=X"), b"1Digest realm=r\n", b"1"],
    }.items():
        write("auth", name, b"\n".join(answers))


# The scripts of fuzz_session.c and fuzz_answer.c, see play.h.
WAIT = {0: 0, 1: 1, 10: 4, 100: 7, 200: 8, 500: 9, 1000: 10, 10000: 12, 31000: 13, 70000: 14, 340000: 15}
HELLO, POLL, UP, DOWN, DUPLEX, PROBE = range(6)


def parts(*capsules, own=None):
    """A body: (type, value) each, a value may be longer than its octets."""
    out = bytes([len(capsules) | (8 if own is not None else 0)]) + (bytes([own]) if own is not None else b"")
    for kind, value, *more in capsules:
        out += bytes([kind, more[0] if more else len(value)]) + value
    return out


def step(what, conn=0, how=0, rest=b""):
    return bytes([what | conn << 3 | how << 5]) + rest


def ask(mode, *capsules, conn=0, carrier=0, x=0, hold=0, how=0, own=None):
    return step(0, conn, how, bytes([mode, hold, carrier, x]) + parts(*capsules, own=own))


def probe(answer, marks, size, *capsules, conn=0, x=0, hold=0, how=0):
    return step(0, conn, how, bytes([PROBE, hold, 0, x, answer, marks, size]) + parts(*capsules))


def more(conn, *capsules):
    return step(1, conn, 0, parts(*capsules))


def wait(ms):
    return step(5, 0, 0, bytes([WAIT[ms]]))


def local(point, action, *rest):
    return step(6, 0, 0, bytes([point | action << 3, *rest]))


def channel_open(channel, kind, name):
    return (16, varint(channel) + bytes([kind, 0]) + block(name))


def session():
    hello = ask(HELLO, (8, b"\1\1\0" + number_params(p1=64, p2=1 << 20, p3=1 << 18, p4=2000))) + wait(10)
    stream = channel_open(2, 1, b"a")
    seeds = {
        "poll": hello + ask(POLL, channel_open(2, 0, b"a"), (0, b"\x08\0\1rtp"), hold=15, x=1) + wait(100) +
                local(0, 4, 6) + wait(100) + ask(POLL, (3, b"\0\0\1\1\1"), hold=15, x=2) + wait(10000),
        "duplex": hello + ask(DUPLEX, (6, b"\0\0\0\0\0\1\x81\x1c\x9d\xc5"), conn=1, how=2, x=1) + wait(100) +
                  more(1, stream, (19, b"\4\0abc"), (19, b"\5\3def")) + local(0, 4, 20) + wait(200) +
                  more(1, (3, b"\0\0\1\3\3"), (20, b"\4\x41\x01\x80\1\0\0")) + step(3, 1) + wait(100),
        "split": hello + ask(DOWN, conn=1, x=1) + ask(UP, stream, (19, b"\4\0", 230), conn=2, how=2, x=2) + wait(100) +
                 more(2, (4, b"\7"), (0, b"\x10\0\1early"), channel_open(4, 0, b"i")) + wait(10000) + step(3, 2) +
                 wait(31000) + ask(DOWN, conn=3, x=3) + wait(100),
        "halves": hello + ask(POLL, channel_open(2, 1, b"h"), channel_open(4, 1, b"n"), (19, b"\4\3def"),
                              (19, b"\x08\0" + b"n" * 40), (19, b"\4\0abc"), x=1) + local(1, 2) +
                  ask(POLL, (22, b"\4\0\6\0"), (23, b"\x08\0\0"), (19, b"\x09\x28"), x=2) + wait(200) +
                  ask(POLL, (3, b"\0\0\1\2\2"), (20, b"\4\1\1"), (20, b"\x08\1\1"), x=3) + wait(500),
        "early": hello + ask(POLL, (19, b"\5\0abc"), (0, b"\x10\0\1x"), (22, b"\x0c\0\0\0"), x=1) +
                 ask(POLL, stream, channel_open(4, 0, b"c"), channel_open(6, 1, b"r"), (21, b"\x80\1\0\0\x08"), x=2) + wait(1000),
        "repeats": hello + ask(POLL, stream, (19, b"\4\0abc"), own=1, x=1) * 3 + wait(1000) + step(4, 0, 1) +
                   ask(POLL, stream, (19, b"\4\0abc"), carrier=1, own=0, x=1, conn=1) + wait(10000),
        "ends": hello + ask(POLL, stream, (19, b"\4\0abc"), hold=15, x=1) + step(7, 0, 0) + wait(100) +
                ask(POLL, (11, b"\7\0\0\0\0\0"), x=2) + wait(100) + ask(POLL, x=3) + hello,
        "idle": hello + ask(POLL, channel_open(2, 0, b"i"), x=1) + wait(31000) + wait(1000) + ask(POLL, x=2) + wait(340000),
        "probes": hello + probe(3, 3, 1, conn=0, x=1, hold=3) + wait(500) +
                  probe(6, 0x25, 0, (6, b"\1\0\0\0\0\1\xbf\x9c\xf9\x68foobar"), conn=1, how=2, x=2) + wait(100) +
                  more(1, (6, b"\1\1\0\0\0\1\0\0\0\0")) + wait(100) + step(3, 1) + wait(1000) +
                  probe(1, 0x22, 255, conn=2, x=2) * 5 + wait(200) + step(7, 0, 4) + wait(100),
        "bye": hello + ask(POLL, stream, hold=15, x=1) + ask(DOWN, conn=1, x=2) + step(7, 0, 4),
    }
    for name, data in seeds.items():
        write("session", name, data)


def answer():
    say = lambda *capsules, how=0, conn=0: step(0, conn, how, parts(*capsules))
    welcome = say((9, b"\1\0" + bytes(7) + b"\1" + bytes(7) + b"\2" + number_params(p1=64)))
    seen = lambda n: (7, b"\0" + bytes([n]) + b"\0\0\0\1\1")
    open_both = step(4, 0, 0) + step(4, 1, 0)
    proof = say(how=1) + wait(10) + more(1, seen(0)) + wait(200) + more(1, seen(1)) + wait(10)
    streams = {
        "duplex": b"\x80" + proof.replace(step(1, 1, 0), step(1, 0, 0)) + open_both + local(1, 4, 9) + wait(100) +
                  more(0, (3, b"\0\0\1\3\3"), (17, b"\2"), (17, b"\4" + number_params(p19=500)), (19, b"\4\0abc")) +
                  wait(1000) + more(0, (22, b"\4\0\3\0"), (23, b"\2\0\0")) + wait(10000),
        "split": b"\x81" + proof + open_both + wait(10000) + say((3, b"\0\0\1\2\2")) + wait(1000),
        "push": b"\x82" + proof + open_both + local(0, 5, 9) + wait(100) + say((0, b"\x08\0\1rtp")) + wait(1000),
        "poll": b"\x83" + wait(10) + open_both + local(1, 4, 200) + wait(100) + (say((3, b"\0\0\1\1\1"), (20, b"\4\1\x80\1\0\0")) + wait(100)) * 3 +
                say((18, b"\4\x0a\2no")) + wait(10000),
        "hello": b"\3" + say(how=6) + wait(10) + welcome + wait(100) + say((12, b"\7\x10\0\0\0\0")) + wait(1000),
        "gone": b"\x83" + open_both + wait(10) + say((10, b"\3\0\0\0\0\4gone")) + wait(100),
        "foreign": b"\0" + say(how=5) + wait(100) + say(how=3) + step(2, 0, 0, b"\x09<html>ab ") + wait(1000),
        "refused": b"\x80" + step(7, 0, 0) + wait(1000) + step(7, 0, 0) + proof + step(7, 0, 5) + wait(10000),
        "probe": b"\x83" + wait(10) + step(7, 0, 7, b"\x81\x32") + wait(10) +
                 say((24, b"\1\1\x0b\2\0\0"), (7, b"\1\0\0\0\0\5\1"), (6, b"\1\0\0\0\0\1\xbf\x9c\xf9\x68foobar"), how=1) +
                 wait(100) + step(3, 0) + wait(1000) + step(7, 0, 7, b"\x46\0") + wait(10) + say((10, b"\3\0\0\0\0\0")) + wait(500),
        "second": b"\x83" + wait(10) + step(7, 0, 1, b"\1") + wait(10) + open_both + proof + step(7, 0, 3) + wait(100),
    }
    for name, data in streams.items():
        write("answer", name, data)


def edits(*steps):
    """(operation, place, value) each; None: what follows is for the next flight."""
    return b"".join(b"\x80\0\0\0" if s is None else struct.pack("!BHB", *s) for s in steps)


def sealed():
    one = 11 + 8 + 30 + 16  # bytes of the first capsule of a request
    seeds = {
        "body-page": b"\0\x10<html>Blocked</html>",
        "body-short": b"\0\x10" + capsule(25, b"\0\0" + bytes(15)),
        "body-forged": b"\0\x10" + capsule(25, b"\x40\0\x80\0\0\0" + bytes(60)) * 2,
        "body-long": b"\0\x10\x19\x80\x0f\0\0",
        "answer-unsealed": b"\1\0" + capsule(26),
        "answer-page": b"\1\0<html>",
        "genuine": b"\2\x1f",
        "genuine-answer": b"\3\x1f",
        "genuine-keys": b"\x0a\xff",
        "genuine-keys-answer": b"\x0b\2",
        "flipped": b"\2\x1f" + edits((0, one, 1)),
        "flipped-late": b"\3\x1f" + edits((0, 100, 4)),
        "truncated": b"\2\x1f" + edits((4, one + 20, 0)),
        "doubled": b"\3\x1f" + edits((3, 0, 57)),
        "left-out": b"\3\x1f" + edits((1, 57, 57)),
        "longer": b"\2\x1f" + edits((0, 4, 64)),
        "inserted": b"\2\x1f" + edits((2, one, 2), (2, one + 1, 0)),
        "handshake": b"\6\0",
        "handshake-repeated": b"\6\0" + edits((3, 0, 63), None, (3, 0, 63)),
        "handshake-hello": b"\6\0" + edits((0, 50, 1)),
        "handshake-shown": b"\6\0" + edits(None, (0, 200, 1)),
        "handshake-cut": b"\6\0" + edits(None, (4, 90, 0)),
        "handshake-done": b"\6\0" + edits(None, None, None, (5, 20, 9)),
        "flight-alert": b"\4\0" + b"\x15\xfe\xfd" + bytes(8) + b"\0\2\2\x28",
        "flight-answer-alert": b"\5\0" + b"\x15\xfe\xfd" + bytes(8) + b"\0\2\2\x28",
    }
    for name, data in seeds.items():
        write("sealed", name, data)


def connect():
    kept = b"HTTP/1.1 407 Who\r\nProxy-Authenticate: NTLM\r\nContent-Length: 6\r\n\r\n<html>"
    closed = b"HTTP/1.0 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n\r\n<html>"
    ok = b"HTTP/1.1 200 OK\r\n\r\n"
    chunked = b"HTTP/1.1 407 Who\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    bound = b"\5\0\0\1\0\0\0\0\0\0"
    seeds = {
        "connect": b"\0\xff" + ok,
        "connect-drip": b"\0\0" + ok,
        "connect-407": b"\x44\x50" + kept + ok,
        "connect-bound": b"\x6c\x4c" + kept + kept + ok,
        "connect-chunked": b"\x44\xff" + chunked,
        "connect-closed": b"\x44\xff" + closed,
        "connect-403": b"\0\xff" + b"HTTP/1.1 403 No\r\n\r\n",
        "connect-502": b"\3\xff" + b"HTTP/1.1 502 port is not allowed\r\n\r\n",
        "connect-302": b"\0\xff" + b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n",
        "connect-page": b"\x40\xff" + b"<html>",
        "connect-dropped": b"\xac\x10" + kept + kept + ok,
        "socks": b"\1\1" + b"\5\0" + bound,
        "socks-login": b"\5\1" + b"\5\2\1\0" + bound,
        "socks-rejected": b"\5\1" + b"\5\2\1\1",
        "socks-none": b"\1\1" + b"\5\xff",
        "socks-refused": b"\1\1" + b"\5\0" + b"\5\2\0\3\3abc\0\0",
        "absolute": b"\x06\xff" + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n",
        "absolute-bound": b"\x1e\x4c" + kept + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n",
        "absolute-closed": b"\x5e\xff" + b"HTTP/1.0 200 OK\r\n\r\nok\n",
    }
    for name, data in seeds.items():
        write("connect", name, data)


def egress_frames():
    """First octet: framing (bit 0: lengths), the cap; second: size of portions."""
    for name, data in {
        "lines": b"\x04\3one\ntwo\r\n\n\r\nwith\rin\r\r\nhalf",
        "utf8": b"\x04\1Gr\xc3\xbc\xc3\x9fe\n\xf0\x9f\x98\x80\n",
        "not-utf8": b"\x04\2\xc3\n",
        "long-line": b"\x02\7" + b"x" * 80 + b"\n",
        "lengths": b"\x05\2\0\0\0\3a\nc\0\0\0\0\0\0\0\1d",
        "long-length": b"\x03\1\0\0\0\x41" + b"x" * 65,
        "half-length": b"\x05\1\0\0\0\3abc\0\0",
    }.items():
        write("egress_frames", name, data)


def websocket():
    def frame(first, payload=b"", key=None, width=0):
        mark, size = 0x80 if key else 0, len(payload)
        width = width or (0 if size < 126 else 2 if size < 65536 else 8)
        head = bytes([first, mark | {0: size, 2: 126, 8: 127}[width]]) + (size.to_bytes(width, "big") if width else b"")
        return head + (key + bytes(c ^ key[i % 4] for i, c in enumerate(payload)) if key else payload)

    key, kosme, face = b"\x9a\1\xff\x3c", "\u03ba\u1f79\u03c3\u03bc\u03b5".encode(), "\U0001f600".encode()
    seeds = {
        "text": b"\xfe\1" + frame(0x81, b"Hello " + kosme),
        "binary-masked": b"\xff\1" + frame(0x82, bytes(range(200)), key) + frame(0x82, b"", key),
        "fragments": b"\xff\4" + frame(1, kosme[:3], key) + frame(0x89, b"ping", key) + frame(0, kosme[3:], key) + frame(0x80, b"", key),
        "split-character": b"\xfe\0" + b"".join(frame(t, face[i:i + 1]) for i, t in enumerate((1, 0, 0, 0x80))),
        "not-utf8": b"\xfe\1" + frame(0x81, kosme + b"\xed\xa0\x80edited"),
        "controls": b"\xff\7" + frame(0x89, b"", key) + frame(0x8a, bytes(125), key) + frame(0x88, b"\x03\xe8bye", key) + b"rest",
        "close-empty": b"\xfe\0" + frame(0x88),
        "close-half": b"\xfe\0" + frame(0x88, b"\3"),
        "close-code": b"\xfe\0" + frame(0x88, b"\3\xed"),
        "reserved": b"\xfe\0" + frame(0xc1, b"x"),
        "reserved-opcode": b"\xfe\0" + frame(0x83, b"x"),
        "long-form": b"\xfe\0" + frame(0x82, b"abc", None, 2),
        "long-form-8": b"\xfe\0" + frame(0x82, b"abc", None, 8),
        "length-63": b"\xfe\0\x82\x7f\x80" + bytes(7) + b"x",
        "too-big": b"\x08\x20" + frame(2, bytes(200)) + frame(0, bytes(57)),
        "large": b"\xfe\xff" + frame(0x82, bytes(range(256)) * 20),
        "ping-126": b"\xfe\0" + frame(0x89, bytes(126)),
        "no-mask": b"\xff\0" + frame(0x82, b"abc"),
        "nested": b"\xfe\0" + frame(1, b"a") + frame(0x81, b"b"),
    }
    for name, data in seeds.items():
        write("websocket", name, data)


def proxy_protocol():
    signature = b"\r\n\r\n\0\r\nQUIT\n"
    four = bytes([192, 0, 2, 1, 198, 51, 100, 1]) + struct.pack("!HH", 56324, 443)
    v2 = lambda command, family, rest: signature + bytes([command, family]) + struct.pack("!H", len(rest)) + rest
    for name, data in {
        "tcp4": b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET / HTTP/1.1\r\n",
        "tcp6": b"PROXY TCP6 2001:db8::7 ::1 1 443\r\n\x16\x03\x01",
        "unknown": b"PROXY UNKNOWN\r\n",
        "long": b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n",
        "v2-four": v2(0x21, 0x11, four) + b"PRI * HTTP/2.0",
        "v2-six": v2(0x21, 0x21, bytes(range(36))),
        "v2-values": v2(0x21, 0x11, four + b"\4\0\2xy\x20\0\7\1\0\0\0\0\x21\0"),
        "v2-local": v2(0x20, 0, b""),
        "v2-unix": v2(0x21, 0x31, b"/run/x".ljust(216, b"\0")),
        "v2-short": v2(0x21, 0x21, four),
        "none": b"\x16\x03\x01\2\0\1\0\1\xfc\3\3",
    }.items():
        write("proxy_protocol", name, data)


def forwarded():
    for name, data in {
        "x-for": b"203.0.113.9, 10.0.0.1:80,[2001:db8::7]:99 , ::1, unknown, _x",
        "rfc": b'for=192.0.2.60;proto=http;by=203.0.113.43, FOR="[2001:db8:cafe::17]:4711";host="a,b"',
        "hidden": b'for=_gazonk, for=unknown;by="_x:_y"',
        "lines": b"1.1.1.1\n\n2.2.2.2,\nfor=3.3.3.3",
        "quotes": b'for="1.1.1.1\\", for="[::1", for="\\"',
        "empty": b" , ;, ;;for=",
    }.items():
        write("forwarded", name, data)


def fallback_head():
    for name, data in {
        "request": b"\0GET /a?b HTTP/1.1\r\nHost: h\r\nConnection: close, x\r\nX: y\r\nCookie: a=b\r\nContent-Length: 0\r\n\r\n",
        "request-trusted": b"\4POST http://h/ HTTP/1.1\r\nHost: h\r\nX-Forwarded-Host: other\r\nX-Forwarded-Proto: http\r\n"
                           b"Forwarded: for=1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "request-websocket": b"\0GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n",
        "h2": b"\2/a\0host\0h\0cookie\0a=b\0",
        "h2-smuggle": b"\2/ HTTP/1.1\r\nX: y\0host\0h\0a\0b\r\nc\0",
        "answer": b"\1HTTP/1.1 200 OK\r\nServer: s\r\nConnection: X\r\nX: y\r\nContent-Length: 5\r\nSet-Cookie: a\r\n\r\nhello",
        "answer-websocket": b"\5HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: a\r\n\r\n",
    }.items():
        write("fallback_head", name, data)


def rest():
    hs256, at = b'{"alg":"HS256","typ":"JWT"}', b"/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA/signal/sig"
    for name, data in {
        "claims": hs256 + b'\n{"sub":"page","exp":1700000060,"nbf":1700000000,"aud":["culvert"],"svc":["sig","x"]}',
        "claims-text": hs256 + b'\n{"sub":"page","exp":1700000060.5,"aud":"culvert","svc":"sig"}',
        "claims-types": hs256 + b'\n{"sub":"page","exp":"1","nbf":null,"aud":{},"svc":7}',
        "claims-twice": hs256 + b'\n{"sub":"page","sub":"other","exp":1e999}',
        "header-none": b'{"alg":"none"}\n{"sub":"page","exp":1700000060}',
        "header-crit": b'{"alg":"HS256","crit":["b64"],"b64":false}\n{"sub":"page"}',
        "jwt": b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwYWdlIiwiZXhwIjoxNzAwMDAwMDYwfQ." + b"A" * 43,
        "jwt-dots": b"..." + b"A" * 43,
        "target": at + b"?after=17&wait=20&stream=1&keepalive=8&for=600",
        "target-ticket": b"https://h" + at + b"/ticket?ticket=AAAA&ticket=",
    }.items():
        write("rest", name, data)


if __name__ == "__main__":
    rest()
    fallback_head()
    proxy_protocol()
    forwarded()
    records()
    http1()
    classify()
    base64()
    challenge()
    auth()
    pac_result()
    session()
    answer()
    sealed()
    connect()
    websocket()
    egress_frames()
