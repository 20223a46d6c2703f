#!/usr/bin/python3
"""h2cases: what RFC 9113 (and 7541, 8441, 9218) demands of a server, case by case, after h2spec's manner.

    h2cases.py ADDR:PORT [--cafile FILE] [--only TEXT] [--quiet]     by TLS with --cafile, else cleartext by prior knowledge

The server answers GET /healthz with 200 and some body. Each case has a connection of its own, and says which section it is of. The exit
status is 1 when one fails. An error of a stream may be treated as one of the connection (section 5.4), with the same code.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import h2raw as h2
from h2raw import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, LARGEST, PADDED, PING, PRIORITIZED, PRIORITY, PUSH_PROMISE,
                   RST_STREAM, SETTINGS, ACK, WINDOW_UPDATE, block, fields, frame, headers, request)

CASES = []
GET = block(*fields())
BODY = ("POST", "/upload")


def case(section, what):
    def add(function):
        CASES.append((section, what, function))
        return function
    return add


class Failed(Exception):
    pass


def describe(got):
    if got is None:
        return "nothing"
    return "%s %s" % ({RST_STREAM: "RST_STREAM", GOAWAY: "GOAWAY"}[got.kind], h2.error_name(got.code()))


def ends(p, *codes, silent=False):
    """GOAWAY with one of these codes, then the end. silent: it may close without a word."""
    got = p.find(lambda f: f.kind == GOAWAY and f.code() != 0)
    if got is None and not (silent and p.over):
        raise Failed("no GOAWAY %s (%s)" % ("/".join(codes), "closed" if p.over else "still open"))
    if got is not None and h2.error_name(got.code()) not in codes:
        raise Failed("%s, not %s" % (describe(got), "/".join(codes)))
    list(p.frames(0.2))
    if not p.over:
        list(p.frames(3))
    if not p.over:
        raise Failed("GOAWAY, but the connection stays open")


def resets(p, stream, *codes, answered=False):
    """The stream's end with one of these codes, or the connection's. answered: it may answer 400 as well (8.1.1)."""
    got = p.find(lambda f: f.kind == RST_STREAM and f.stream == stream and f.code() != 0 or f.kind == GOAWAY and f.code() != 0,
                 1.5 if answered else 5)
    if got is None and answered:
        answer = p.answer(stream, 0.5)
        if answer and answer[0] == 400:
            return
        raise Failed("not refused: %s" % (answer and answer[0]))
    if got is None or h2.error_name(got.code()) not in codes:
        raise Failed("%s, not %s" % (describe(got), "/".join(codes)))
    if got.kind == RST_STREAM:
        lives(p, stream + 100)


def lives(p, stream=1):
    """The connection goes on: it answers PING and a request."""
    p.send(frame(PING, 0, 0, b"still up"))
    if not p.find(lambda f: f.kind == PING and f.flags & ACK and f.payload == b"still up"):
        raise Failed("PING is not answered (%s)" % describe(p.find(lambda f: f.kind == GOAWAY, 0)))
    p.send(headers(stream, GET))
    answers(p, stream)


def answers(p, stream, status=200):
    got = p.answer(stream)
    if got is None or got[0] != status:
        raise Failed("stream %d: %s, not %d (%s)" % (stream, got and got[0], status, describe(p.find(lambda f: f.kind in (RST_STREAM, GOAWAY), 0))))
    return got


def error(section, what, code, *pieces, before=(), silent=False):
    """A case: these bytes end the connection with that code."""
    def run(p):
        p.settled(*before)
        p.send(b"".join(pieces))
        ends(p, *code.split("/"), silent=silent)
    case(section, what)(run)


def stream_error(section, what, code, *pieces, before=()):
    def run(p):
        p.settled(*before)
        p.send(b"".join(pieces))
        resets(p, 1, *code.split("/"))
    case(section, what)(run)


def malformed(section, what, header_block, *pieces):
    """A case: a request with that head is malformed (8.1.1)."""
    def run(p):
        p.settled()
        p.send(headers(1, header_block, not pieces) + b"".join(pieces))
        resets(p, 1, "PROTOCOL_ERROR", answered=True)
    case(section, what)(run)


def goes_on(section, what, *pieces, before=()):
    """A case: these bytes change nothing."""
    def run(p):
        p.settled(*before)
        p.send(b"".join(pieces))
        lives(p, 101)
    case(section, what)(run)


def answered(section, what, *pieces, status=200):
    """A case: these bytes are a request on stream 1 that is answered."""
    def run(p):
        p.settled()
        p.send(b"".join(pieces))
        answers(p, 1, status)
        lives(p, 101)
    case(section, what)(run)


# ---- 3: the beginning ----

@case("3.4", "a wrong preface")
def wrong_preface(p):
    p.send(b"PRI * HTTP/2.0\r\n\r\nNO\r\n\r\n" + h2.settings())
    ends(p, "PROTOCOL_ERROR", silent=True)


@case("3.4", "the first frame is not SETTINGS")
def no_settings(p):
    p.send(h2.PREFACE + frame(PING, 0, 0, bytes(8)))
    ends(p, "PROTOCOL_ERROR", silent=True)


@case("3.4", "the server's first frame is SETTINGS")
def server_preface(p):
    p.begin()
    first = next(p.frames(5), None)
    if first is None or first.kind != SETTINGS or first.flags & ACK or first.stream:
        raise Failed("another frame is the first")


@case("3.4", "requests right behind the preface, before the server's SETTINGS")
def early(p):
    p.send(h2.PREFACE + h2.settings() + headers(1, GET))
    answers(p, 1)


@case("3.4", "byte by byte")
def drip(p):
    for octet in h2.PREFACE + h2.settings() + headers(1, GET):
        p.send(bytes([octet]))
    answers(p, 1)


# ---- 4: frames ----

goes_on("4.1", "a frame of an unknown type is ignored", frame(0xfa, 0xff, 0, b"what"), frame(0xfb, 0, 77, b""))
goes_on("4.1", "flags that are not defined are ignored", frame(PING, 0x16, 0, bytes(8)))
goes_on("4.1", "the reserved bit is ignored", frame(PING, 0, 1 << 31, bytes(8)))
answered("4.2", "DATA of 16,384 bytes", request(1, *BODY, end=False), frame(DATA, END_STREAM, 1, bytes(16384)), status=404)
error("4.2", "DATA of 16,385 bytes", "FRAME_SIZE_ERROR", request(1, *BODY, end=False), frame(DATA, 0, 1, bytes(16385)))
error("4.2", "HEADERS of 16,385 bytes", "FRAME_SIZE_ERROR", headers(1, block(("x", bytes(16385)))[:16385]))
error("4.3", "a header block that is none", "COMPRESSION_ERROR", headers(1, b"\xff\xff\xff\xff\xff\xff"))
error("4.3", "PRIORITY within a header block", "PROTOCOL_ERROR", headers(1, GET[:9], flags=0), h2.priority(3, 0), frame(CONTINUATION, END_HEADERS, 1, GET[9:]))
error("4.3", "another stream's HEADERS within a header block", "PROTOCOL_ERROR", headers(1, GET[:9], flags=0), headers(3, GET))
error("4.3", "an unknown frame within a header block", "PROTOCOL_ERROR", headers(1, GET[:9], flags=0), frame(0xfa, 0, 0, b"x"))

# ---- 5: streams ----

WAITING = ((h2.INITIAL_WINDOW_SIZE, 0),)  # an answer cannot be sent: its stream stays half closed
error("5.1", "DATA on an idle stream", "PROTOCOL_ERROR", frame(DATA, END_STREAM, 1, b"x"))
error("5.1", "RST_STREAM on an idle stream", "PROTOCOL_ERROR", h2.reset(1))
error("5.1", "WINDOW_UPDATE on an idle stream", "PROTOCOL_ERROR", h2.window_update(1, 100))
error("5.1", "CONTINUATION on an idle stream", "PROTOCOL_ERROR", frame(CONTINUATION, END_HEADERS, 1, GET))
stream_error("5.1", "DATA on a half closed stream", "STREAM_CLOSED", headers(1, GET), frame(DATA, END_STREAM, 1, b"x"), before=WAITING)
stream_error("5.1", "HEADERS on a half closed stream", "STREAM_CLOSED", headers(1, GET), headers(1, GET), before=WAITING)
error("5.1", "CONTINUATION on a half closed stream", "PROTOCOL_ERROR", headers(1, GET), frame(CONTINUATION, END_HEADERS, 1, GET), before=WAITING)
goes_on("5.1", "WINDOW_UPDATE, PRIORITY and RST_STREAM on a stream that was reset are ignored", request(1, *BODY, end=False), h2.reset(1),
        h2.window_update(1, 9), h2.priority(1, 0), h2.reset(1))


@case("5.1", "DATA on a stream that was closed is STREAM_CLOSED or ignored, and uses up no window")
def data_closed(p):
    p.settled()
    p.send(headers(1, GET))
    answers(p, 1)
    for _ in range(12 << 20 >> 14):
        p.send(frame(DATA, 0, 1, bytes(16384)))
        got = p.find(lambda f: f.kind in (GOAWAY, RST_STREAM) and f.code(), 0)
        if got is not None:
            if h2.error_name(got.code()) != "STREAM_CLOSED":
                raise Failed(describe(got))
            return
    lives(p, 101)
    if not p.find(lambda f: f.kind == WINDOW_UPDATE and f.stream == 0 and f.payload >= b"\0\x10", 0):
        raise Failed("12 MiB of the connection's window are not given back")


@case("5.1", "HEADERS on a stream that was closed are no request")
def headers_closed(p):
    p.settled()
    p.send(headers(1, GET))
    answers(p, 1)
    p.send(headers(1, GET))
    got = p.find(lambda f: f.kind in (GOAWAY, RST_STREAM) and f.code() or f.kind == HEADERS and f.stream == 1, 1)
    if got is None:  # 5.1: frames may still come on a stream that ended a short time ago
        lives(p, 101)
    elif got.kind == HEADERS or h2.error_name(got.code()) not in ("STREAM_CLOSED", "PROTOCOL_ERROR"):
        raise Failed("answered once more" if got.kind == HEADERS else describe(got))


error("5.1.1", "a stream with an even number", "PROTOCOL_ERROR", headers(2, GET))


@case("5.1.1", "a stream with a lower number than one before is no request")
def lower(p):
    p.settled()
    p.send(headers(5, GET))
    answers(p, 5)
    p.send(headers(3, GET))
    got = p.find(lambda f: f.kind in (GOAWAY, RST_STREAM) and f.code() or f.kind == HEADERS and f.stream == 3, 1)
    if got is not None and got.kind == HEADERS:
        raise Failed("answered")
    if got is not None and h2.error_name(got.code()) not in ("STREAM_CLOSED", "PROTOCOL_ERROR"):
        raise Failed(describe(got))


@case("5.1.2", "more streams at a time than allowed are refused")
def too_many(p):
    most = p.settled(*WAITING)[h2.MAX_CONCURRENT_STREAMS]
    p.send(b"".join(headers(1 + 2 * i, GET) for i in range(most + 1)))
    got = p.find(lambda f: f.kind in (RST_STREAM, GOAWAY))
    if got is None or h2.error_name(got.code()) not in ("PROTOCOL_ERROR", "REFUSED_STREAM"):
        raise Failed(describe(got))


@case("5.1.2", "as many streams at a time as allowed are answered")
def as_many(p):
    most = p.settled()[h2.MAX_CONCURRENT_STREAMS]
    if most < 100:
        raise Failed("only %d" % most)
    p.send(b"".join(headers(1 + 2 * i, GET) for i in range(most)))
    for i in range(most):
        answers(p, 1 + 2 * i)


@case("5.4.1", "GOAWAY names the last stream that was taken")
def last_stream(p):
    p.settled()
    p.send(headers(7, GET))
    answers(p, 7)
    p.send(frame(DATA, 0, 0, b"x"))
    got = p.find(lambda f: f.kind == GOAWAY)
    if got is None or got.last() != 7:
        raise Failed("last stream %s" % (got and got.last()))


# ---- 6: each kind of frame ----

error("6.1", "DATA on stream 0", "PROTOCOL_ERROR", frame(DATA, 0, 0, b"x"))
error("6.1", "padding as long as the DATA", "PROTOCOL_ERROR", request(1, *BODY, end=False), frame(DATA, PADDED, 1, b"\6hello"))
answered("6.1", "padded DATA", request(1, *BODY, end=False), frame(DATA, PADDED | END_STREAM, 1, b"\3hello" + bytes(3)), status=404)
error("6.2", "HEADERS on stream 0", "PROTOCOL_ERROR", headers(0, GET))
error("6.2", "padding longer than the HEADERS", "PROTOCOL_ERROR", headers(1, b"\xff" + GET[:20], flags=END_HEADERS | PADDED))
answered("6.2", "padded HEADERS with a priority", headers(1, b"\4" + bytes(4) + b"\x10" + GET + bytes(4), flags=END_HEADERS | PADDED | PRIORITIZED))
error("6.3", "PRIORITY on stream 0", "PROTOCOL_ERROR", h2.priority(0, 1))
stream_error("6.3", "PRIORITY of 4 bytes", "FRAME_SIZE_ERROR", request(1, *BODY, end=False), frame(PRIORITY, 0, 1, bytes(4)))
goes_on("6.3", "PRIORITY of an idle stream", h2.priority(9, 0))
error("6.4", "RST_STREAM on stream 0", "PROTOCOL_ERROR", h2.reset(0))
error("6.4", "RST_STREAM of 3 bytes", "FRAME_SIZE_ERROR", request(1, *BODY, end=False), frame(RST_STREAM, 0, 1, bytes(3)))
error("6.5", "SETTINGS acknowledged with a value", "FRAME_SIZE_ERROR", frame(SETTINGS, ACK, 0, bytes(6)))
error("6.5", "SETTINGS on a stream", "PROTOCOL_ERROR", frame(SETTINGS, 0, 1, b""))
error("6.5", "SETTINGS of 5 bytes", "FRAME_SIZE_ERROR", frame(SETTINGS, 0, 0, bytes(5)))
error("6.5.2", "ENABLE_PUSH 2", "PROTOCOL_ERROR", h2.settings((h2.ENABLE_PUSH, 2)))
error("6.5.2", "INITIAL_WINDOW_SIZE 2^31", "FLOW_CONTROL_ERROR", h2.settings((h2.INITIAL_WINDOW_SIZE, 1 << 31)))
error("6.5.2", "MAX_FRAME_SIZE 16,383", "PROTOCOL_ERROR", h2.settings((h2.MAX_FRAME_SIZE, 16383)))
error("6.5.2", "MAX_FRAME_SIZE 2^24", "PROTOCOL_ERROR", h2.settings((h2.MAX_FRAME_SIZE, 1 << 24)))
goes_on("6.5.2", "an unknown setting is ignored", h2.settings((0xfa, 1), (0xffff, LARGEST)))
goes_on("6.5.3", "a second SETTINGS", h2.settings((h2.HEADER_TABLE_SIZE, 0)), h2.settings((h2.HEADER_TABLE_SIZE, 4096)))
error("6.6", "PUSH_PROMISE of a client", "PROTOCOL_ERROR", request(1, *BODY, end=False), frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + GET))
error("6.7", "PING on a stream", "PROTOCOL_ERROR", frame(PING, 0, 1, bytes(8)))
error("6.7", "PING of 7 bytes", "FRAME_SIZE_ERROR", frame(PING, 0, 0, bytes(7)))
error("6.8", "GOAWAY on a stream", "PROTOCOL_ERROR", frame(GOAWAY, 0, 1, bytes(8)))


@case("6.7", "an acknowledged PING is not answered")
def ping_ack(p):
    p.settled()
    p.send(frame(PING, ACK, 0, b"acked it") + frame(PING, 0, 0, b"ping it."))
    got = p.find(lambda f: f.kind == PING)
    if got is None or got.payload != b"ping it.":
        raise Failed("%s came" % (got and got.payload))


@case("6.8", "what was begun before a GOAWAY is finished")
def client_goaway(p):
    p.settled(*WAITING)
    p.send(headers(1, GET) + h2.goaway() + h2.window_update(1, 1000))
    answers(p, 1)


error("6.9", "WINDOW_UPDATE of 3 bytes", "FRAME_SIZE_ERROR", frame(WINDOW_UPDATE, 0, 0, bytes(3)))
error("6.9", "WINDOW_UPDATE by 0 for the connection", "PROTOCOL_ERROR", h2.window_update(0, 0))
stream_error("6.9", "WINDOW_UPDATE by 0 for a stream", "PROTOCOL_ERROR", request(1, *BODY, end=False), h2.window_update(1, 0))
error("6.9.1", "a connection's window of more than 2^31 - 1", "FLOW_CONTROL_ERROR", h2.window_update(0, LARGEST))
stream_error("6.9.1", "a stream's window of more than 2^31 - 1", "FLOW_CONTROL_ERROR", request(1, *BODY, end=False), h2.window_update(1, LARGEST))
stream_error("6.9.2", "SETTINGS that make a window overflow", "FLOW_CONTROL_ERROR", request(1, *BODY, end=False), h2.window_update(1, LARGEST),
             h2.settings((h2.INITIAL_WINDOW_SIZE, 1000)), before=WAITING)


@case("6.9.1", "an answer keeps to the window, byte by byte")
def bytes_of_window(p):
    p.settled((h2.INITIAL_WINDOW_SIZE, 1))
    p.send(headers(1, GET))
    for _ in range(3):
        got = p.find(lambda f: f.kind == DATA and f.stream == 1)
        if got is None or len(got.payload) > 1:
            raise Failed("DATA of %s" % (got and len(got.payload)))
        if got.flags & END_STREAM:
            break
        p.send(h2.window_update(1, 1))


@case("6.9.2", "a window grown by SETTINGS lets waiting answers go")
def window_by_settings(p):
    p.settled(*WAITING)
    p.send(headers(1, GET))
    if p.find(lambda f: f.kind == DATA and f.stream == 1 and f.payload, 0.3):
        raise Failed("DATA without a window")
    p.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 1000)))
    answers(p, 1)


@case("6.9.2", "a window below zero")
def negative(p):
    p.settled((h2.INITIAL_WINDOW_SIZE, 1))
    p.send(headers(1, GET))
    if not p.find(lambda f: f.kind == DATA and f.stream == 1):
        raise Failed("no DATA")
    p.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 0)) + h2.window_update(1, 1))  # -1, then 0
    if p.find(lambda f: f.kind == DATA and f.stream == 1 and f.payload, 0.3):
        raise Failed("DATA without a window")
    p.send(h2.window_update(1, 1))
    if not p.find(lambda f: f.kind == DATA and f.stream == 1):
        raise Failed("no DATA when there is a window again")


answered("6.10", "a head in three frames", headers(1, GET[:9], flags=0), frame(CONTINUATION, 0, 1, GET[9:20]), frame(CONTINUATION, END_HEADERS, 1, GET[20:]))
error("6.10", "CONTINUATION on stream 0", "PROTOCOL_ERROR", headers(1, GET[:9], flags=0), frame(CONTINUATION, END_HEADERS, 0, GET[9:]))
error("6.10", "CONTINUATION without HEADERS", "PROTOCOL_ERROR", request(1, *BODY, end=False), frame(CONTINUATION, END_HEADERS, 1, GET))
error("6.10", "DATA within a head", "PROTOCOL_ERROR", headers(1, GET[:9], flags=0, end=False), frame(DATA, END_STREAM, 1, b"x"))


def run_all(options):
    target, failed = h2.Target(options.where, options.cafile), 0
    for section, what, function in CASES:
        if options.only and options.only not in section + " " + what:
            continue
        why, p = None, h2.Peer(target)
        try:
            function(p)
        except (Failed, h2.Over) as error_:
            why = str(error_)
        p.close()
        failed += why is not None
        if why or not options.quiet:
            print("  %s  %-8s %s%s" % ("FAIL" if why else "ok  ", section, what, ": " + why if why else ""), flush=True)
    print("%d of %d cases" % (len(CASES) - failed, len(CASES)))
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("where")
    parser.add_argument("--cafile")
    parser.add_argument("--only")
    parser.add_argument("--quiet", action="store_true")
    import h2cases_http  # noqa: F401, adds its own
    sys.exit(run_all(parser.parse_args()) > 0)


if __name__ == "__main__":
    sys.modules["h2cases"] = sys.modules["__main__"]
    main()
