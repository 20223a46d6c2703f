"""The cases of h2cases.py about messages (RFC 9113 section 8), header compression (RFC 7541) and extensions (RFC 8441, 9218)."""
import hpack

import h2raw as h2
from h2cases import BODY, Failed, answered, answers, case, error, goes_on, lives, malformed, resets
from h2raw import DATA, END_STREAM, PADDED, block, fields, frame, headers, request, text

METHOD, SCHEME, AUTHORITY, PATH = fields()

# ---- 8.1: messages ----

answered("8.1", "GET", request(1))
answered("8.1", "a request with a body", request(1, *BODY, end=False), frame(DATA, END_STREAM, 1, b"hello"), status=404)
answered("8.1", "trailers", request(1, *BODY, end=False), frame(DATA, 0, 1, b"hello"), headers(1, block(("checksum", "1"))), status=404)
answered("8.1", "interleaved bodies", request(1, *BODY, end=False), request(3, *BODY, end=False), frame(DATA, 0, 3, b"a"), frame(DATA, 0, 1, b"b"),
         frame(DATA, END_STREAM, 3), frame(DATA, END_STREAM, 1), status=404)
malformed("8.1", "HEADERS in the middle of a body that do not end it", block(*fields(*BODY)), frame(DATA, 0, 1, b"x"),
          headers(1, block(("x", "y")), end=False), frame(DATA, END_STREAM, 1, b"x"))
malformed("8.1", "a pseudo-header among trailers", block(*fields(*BODY)), headers(1, block((":method", "GET"))))
malformed("8.1.1", "a body longer than its content-length", block(*fields(*BODY, ("content-length", "1"))), frame(DATA, END_STREAM, 1, b"two"))
malformed("8.1.1", "a body shorter than its content-length", block(*fields(*BODY, ("content-length", "9"))), frame(DATA, END_STREAM, 1, b"two"))
malformed("8.1.1", "no body, and a content-length", block(*fields(*BODY, ("content-length", "9"))))
malformed("8.1.1", "two bodies' content-lengths", block(*fields(*BODY, ("content-length", "3"), ("content-length", "4"))), frame(DATA, END_STREAM, 1, b"two"))
answered("8.1.1", "a body as long as its content-length, in pieces and padded", request(1, *BODY, ("content-length", "6"), end=False),
         frame(DATA, 0, 1, b"one"), frame(DATA, PADDED | END_STREAM, 1, b"\2two\0\0"), status=404)


@case("8.1", "HEAD is answered without a body")
def head(p):
    p.settled()
    p.send(request(1, "HEAD"))
    got = answers(p, 1)
    if got[2]:
        raise Failed("a body of %d bytes" % len(got[2]))


@case("8.1", "an answer before the request ends is whole, and the connection goes on")
def early_answer(p):
    p.settled()
    p.send(request(1, *BODY, end=False))
    answers(p, 1, 404)
    p.send(frame(DATA, END_STREAM, 1, b"late"))
    lives(p, 3)


@case("10.1.1 (RFC 9110)", "expect: 100-continue")
def expect(p):
    p.settled()
    p.send(request(1, *BODY, ("expect", "100-continue"), ("content-length", "3"), end=False))
    status = p.answer(1, 1)
    if status is None or status[0] not in (100, 404, 417):
        raise Failed("%s" % (status,))
    lives(p, 3)


# ---- 8.2, 8.3: fields ----

malformed("8.2", "an upper-case name", block(*fields(), ("X-Upper", "1")))
malformed("8.2.1", "an empty name", block(*fields(), ("", "1")))
malformed("8.2.1", "a blank in a name", block(*fields(), ("a b", "1")))
malformed("8.2.1", "a colon in a name", block(*fields(), ("a:b", "1")))
malformed("8.2.1", "a control character in a name", block(*fields(), (b"a\x01b", "1")))
malformed("8.2.1", "NUL in a value", block(*fields(), ("x", b"a\0b")))
malformed("8.2.1", "LF in a value", block(*fields(), ("x", b"a\nb: c")))
malformed("8.2.1", "CR in a value", block(*fields(), ("x", b"a\rb")))
malformed("8.2.2", "connection", block(*fields(), ("connection", "close")))
malformed("8.2.2", "keep-alive", block(*fields(), ("keep-alive", "timeout=5")))
malformed("8.2.2", "proxy-connection", block(*fields(), ("proxy-connection", "keep-alive")))
malformed("8.2.2", "transfer-encoding", block(*fields(*BODY, ("transfer-encoding", "chunked"))), frame(DATA, END_STREAM, 1, b"0\r\n\r\n"))
malformed("8.2.2", "upgrade", block(*fields(), ("upgrade", "websocket")))
malformed("8.2.2", "te other than trailers", block(*fields(), ("te", "gzip")))
answered("8.2.2", "te: trailers", request(1, "GET", "/healthz", ("te", "trailers")))
answered("8.2.3", "cookies in forty pieces", request(1, "GET", "/healthz", *(("cookie", "c%d=%d" % (i, i)) for i in range(40))))
malformed("8.3", "a pseudo-header behind others", block(METHOD, SCHEME, AUTHORITY, ("x", "y"), PATH))
malformed("8.3", "a pseudo-header that is not defined", block(*fields(), (":what", "1")))
malformed("8.3", "a pseudo-header of answers", block(*fields(), (":status", "200")))
malformed("8.3", "a pseudo-header twice", block(*fields(), PATH))
malformed("8.3.1", "no :method", block(SCHEME, AUTHORITY, PATH))
malformed("8.3.1", "no :scheme", block(METHOD, AUTHORITY, PATH))
malformed("8.3.1", "no :path", block(METHOD, SCHEME, AUTHORITY))
malformed("8.3.1", "an empty :path", block(METHOD, SCHEME, AUTHORITY, (":path", "")))
malformed("8.3.1", "a :path that does not begin with /", block(METHOD, SCHEME, AUTHORITY, (":path", "healthz")))
malformed("8.3.1", "CR and LF in :path", block(METHOD, SCHEME, AUTHORITY, (":path", b"/healthz HTTP/1.1\r\nx: y")))
malformed("8.3.1", "a blank in :method", block((":method", "GET /x"), SCHEME, AUTHORITY, PATH))
answered("8.3.1", "host instead of :authority", headers(1, block(METHOD, SCHEME, PATH, ("host", "localhost"))))
answered("8.3.1", "a head of 40 headers and 8,000 bytes", request(1, "GET", "/healthz", *(("x-%d" % i, "y" * 190) for i in range(40))))


def refused(section, what, header_block):
    """A case: more than the server takes: refused with an answer or the stream's end, and the connection goes on, or ends in order."""
    def run(p):
        p.settled()
        parts = [header_block[i:i + 16000] for i in range(0, len(header_block), 16000)]
        p.send(headers(1, parts[0], flags=0 if parts[1:] else h2.END_HEADERS))
        for i, part in enumerate(parts[1:], 2):
            p.send(frame(h2.CONTINUATION, h2.END_HEADERS if i == len(parts) else 0, 1, part))
        got = p.answer(1, 2)
        end = p.find(lambda f: f.kind in (h2.RST_STREAM, h2.GOAWAY), 0)
        if got is None and end is None or got is not None and got[0] == 200:
            raise Failed("not refused: %s" % (got and got[0]))
        if end is None or end.kind == h2.RST_STREAM:
            lives(p, 101)
    case(section, what)(run)


refused("10.5.1", "a head of 100,000 bytes", block(*fields(), *(("x-%d" % i, "y" * 1000) for i in range(98))))
refused("10.5.1", "a head of 2,000 headers", block(*fields(), *(("x", "y") for _ in range(2000))))


@case("8.5", "CONNECT of a proxy is refused, and the connection goes on")
def connect(p):
    p.settled()
    p.send(headers(1, block((":method", "CONNECT"), (":authority", "localhost:22")), end=False))
    got = p.answer(1, 2)
    if got is not None and got[0] < 400:
        raise Failed("answered %d" % got[0])
    lives(p, 101)


malformed("8.5", "CONNECT with a path", block((":method", "CONNECT"), SCHEME, AUTHORITY, PATH))

# ---- RFC 8441, 9218 ----


@case("3 (RFC 8441)", "the server says that it knows extended CONNECT")
def extended(p):
    if p.settled().get(h2.ENABLE_CONNECT_PROTOCOL) != 1:
        raise Failed("it does not")


malformed("4 (RFC 8441)", ":protocol without CONNECT", block(*fields(), (":protocol", "websocket")))
malformed("4 (RFC 8441)", "extended CONNECT without :path", block((":method", "CONNECT"), SCHEME, AUTHORITY, (":protocol", "websocket")))


@case("4 (RFC 8441)", "extended CONNECT of a stranger is refused, and the connection goes on")
def extended_stranger(p):
    p.settled()
    p.send(headers(1, block((":method", "CONNECT"), SCHEME, AUTHORITY, (":path", "/nowhere"), (":protocol", "websocket"), ("sec-websocket-version", "13")),
                   end=False))
    got = p.answer(1, 2)
    if got is not None and got[0] < 400:
        raise Failed("answered %d" % got[0])
    lives(p, 101)


goes_on("7.1 (RFC 9218)", "PRIORITY_UPDATE", frame(16, 0, 0, b"\0\0\0\7u=1, i"))
answered("4 (RFC 9218)", "a priority that is none is ignored", request(1, "GET", "/healthz", ("priority", "u=99, ?, i=?2")))
error("7.1 (RFC 9218)", "PRIORITY_UPDATE on a stream", "PROTOCOL_ERROR", frame(16, 0, 1, b"\0\0\0\1u=1"))

# ---- RFC 7541 ----

GET = block(*fields())
error("2.3.3 (RFC 7541)", "an index beyond the table", "COMPRESSION_ERROR", headers(1, GET + b"\xc6"))
error("4.2 (RFC 7541)", "a table larger than the server allows", "COMPRESSION_ERROR", headers(1, h2.integer(1 << 20, 5, 0x20) + GET))
error("4.2 (RFC 7541)", "another size of the table behind fields", "COMPRESSION_ERROR", headers(1, GET + b"\x20"))
error("5.2 (RFC 7541)", "a text longer than the block", "COMPRESSION_ERROR", headers(1, GET + b"\0\1a\x7f"))
error("5.2 (RFC 7541)", "a Huffman code with EOS within", "COMPRESSION_ERROR", headers(1, GET + b"\0" + text("x") + b"\x84\xff\xff\xff\xff"))
error("6.1 (RFC 7541)", "index 0", "COMPRESSION_ERROR", headers(1, b"\x80" + GET))


@case("2.3 (RFC 7541)", "indexed and Huffman-coded heads, one after the other")
def indexed(p):
    encoder = hpack.Encoder()
    p.settled()
    for i in range(20):
        p.send(headers(1 + 2 * i, encoder.encode([*fields(), ("user-agent", "h2cases"), ("x-%d" % (i % 3), "v" * i)])))
        answers(p, 1 + 2 * i)


@case("4.3 (RFC 7541)", "fields that push each other out of the table")
def evicting(p):
    encoder = hpack.Encoder()
    p.settled()
    for i in range(20):
        p.send(headers(1 + 2 * i, encoder.encode([*fields(), ("x-%d" % i, "%d" % i * 900)], huffman=False)))
        answers(p, 1 + 2 * i)
