#!/usr/bin/python3
"""Unit tests of the peer's own parts; prints one line `ok ...` or `not ok ...` for each."""

from __future__ import annotations

import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import auth             # noqa: E402
import bodies           # noqa: E402
import records          # noqa: E402
import server_request   # noqa: E402
import streams          # noqa: E402
import wire             # noqa: E402


class Sink:
    def __init__(self):
        self.records: list[list] = []

    def begin_record(self, number, clock):
        self.records.append([number, clock, [], False])

    def take_capsule(self, kind, value):
        self.records[-1][2].append((kind, value))

    def end_record(self):
        self.records[-1][3] = True


def parse(body: bytes, step: int = 0, is_answer: bool = False) -> list[list]:
    sink = Sink()
    parser = bodies.BodyParser(sink, is_answer)
    for pos in range(0, len(body), step or max(1, len(body))):
        parser.feed(body[pos:pos + (step or len(body))])
    return sink.records


class Varints(unittest.TestCase):
    def tearDown(self):
        wire.use_long_varints(False)

    def test_examples_of_rfc_9000(self):
        for text, value in (("c2197c5eff14e88c", 151288809941952652), ("9d7f3e7d", 494878333), ("7bbd", 15293),
                            ("25", 37)):
            self.assertEqual(wire.varint(value).hex(), text)
            self.assertEqual(wire.Reader(bytes.fromhex(text)).varint(), value)
        self.assertEqual(wire.Reader(bytes.fromhex("4025")).varint(), 37)

    def test_limits(self):
        self.assertEqual(wire.Reader(wire.varint(wire.VARINT_MAX)).varint(), wire.VARINT_MAX)
        self.assertRaises(ValueError, wire.varint, wire.VARINT_MAX + 1)
        for short in (b"", b"\x40", b"\x80\0\0", b"\xc0" + bytes(6)):
            self.assertRaises(wire.Malformed, wire.Reader(short).varint)

    def test_long_form(self):
        wire.use_long_varints(True)
        self.assertEqual(wire.varint(5), b"\xc0" + bytes(6) + b"\x05")


class Capsules(unittest.TestCase):
    def value(self, octets: bytes) -> bytes:
        return parse(wire.record(0, 0, octets))[0][2][0][1]

    def test_round_trips(self):
        for thing in (wire.Receipt(3, 50, [(10, 12), (4, 8), (0, 2)]), wire.Mark(1, 2, 3, 4, b"abc"),
                      wire.Seen(1, 2, 3, 1), wire.Hello(1, 2, 0, {1: 3, 6: "x"}), wire.Welcome(1, 0, 7, 8, {5: 100}),
                      wire.Open(2, 1, "sig", {16: 1, 18: 10}), wire.Opened(2, {19: 0}), wire.Refused(2, 10, "no"),
                      wire.Stream(2, 9, b"bytes", True), wire.Ack(2, 3, 4), wire.Window(5, 6),
                      wire.Reset(2, 16, 77, b"r"), wire.Close(2, 0, b""), wire.Probed(9, 2, 11, 2, 70_000, "1.1 a")):
            self.assertEqual(type(thing).decode(self.value(thing.encode())), thing)

    def test_filling(self):
        for octets, size in ((b"", 2), (b"", 4096), (b"abc", 65), (b"abc", 3), (b"abcd", 3), (b"x" * 100, 6144)):
            self.assertEqual(len(wire.filled(octets, size)), max(size, len(octets)))
        self.assertEqual(len(wire.filled(b"", 66)), 67)
        self.assertEqual(len(wire.filled(b"x", 2)), 3)

    def test_receipt_by_hand(self):
        octets = wire.Receipt(0, 0, [(9, 10), (5, 7)]).encode()
        self.assertEqual(octets.hex(), "0307" + "00" "00" "02" "0a" "01" "00" "02")

    def test_farewell(self):
        one = wire.Farewell(5, 100, 1, 2, b"https://x", b"why")
        self.assertEqual(wire.Farewell.decode(self.value(one.encode(wire.BYE))), one)

    def test_datagram_forms(self):
        for form, bits in ((0, 16), (1, 24), (2, 32), (3, 32)):
            got = wire.Datagram.decode(self.value(wire.Datagram.encode(6, 0x123456789A, form, 12, b"p")))
            age = 12 if form == 3 else 0
            self.assertEqual(got, wire.Datagram(6, 0x123456789A & (1 << bits) - 1, bits, age, b"p"))

    def test_trailing_octets_are_ignored(self):
        self.assertEqual(wire.Ack.decode(bytes((2, 3, 4, 99))), wire.Ack(2, 3, 4))

    def test_malformed(self):
        for decode, value in ((wire.Ack.decode, b"\x02\x03"), (wire.Receipt.decode, b"\0\0\0\0\0"),
                              (wire.Receipt.decode, b"\0\0\x01\x02\x03"), (wire.Receipt.decode, b"\0\0\x21\x02\x00"),
                              (wire.Receipt.decode, b"\0\0\x02\x05\x00\x04\x00"),
                              (wire.Open.decode, b"\x02\x02\x00\x01a"), (wire.Open.decode, b"\x02\x01\x00\x01A"),
                              (wire.Open.decode, b"\x02\x01\x00\x00"), (wire.Refused.decode, b"\x02\x01\x02\xff\xff"),
                              (wire.Opened.decode, b"\x02\x11\x01\x00\x11\x01\x00"),
                              (wire.Opened.decode, b"\x02\x12\x01\x05"), (wire.Datagram.decode, b"\x02\x00\x00")):
            self.assertRaises(wire.Malformed, decode, value)

    def test_payload_types(self):
        opened = wire.Opened(2, {wire.P_REDUNDANCY: 2, wire.P_AUDIO_TYPES: b"\x00\x7f"})
        self.assertEqual(opened.encode(), b"\x11\x08\x02\x15\x01\x02\x16\x02\x00\x7f")
        self.assertEqual(wire.Opened.decode(opened.encode()[2:]), opened)
        for bad in (b"\x02\x16\x01\x80", b"\x02\x17\x21" + bytes(33), b"\x02\x15\x01\x03"):
            with self.assertRaises(wire.Malformed):
                wire.Opened.decode(bad)

    def test_unknown_parameters_are_ignored(self):
        self.assertEqual(wire.Opened.decode(b"\x02\x3f\x01\x00\x11\x01\x02").parameters, {wire.P_CLASS: 2})

    def test_fnv1a(self):
        self.assertEqual(wire.fnv1a(b""), 0x811C9DC5)
        self.assertEqual(wire.fnv1a(b"foobar"), 0xBF9CF968)


class Bodies(unittest.TestCase):
    body = (wire.pad(5) + wire.record(0, 7, wire.Ack(2, 3, 4).encode() + wire.capsule(0x3FFF, b"?" * 70) + wire.pad())
            + wire.capsule(0x21, b"skipped") + wire.record(300, 8, wire.Window(1, 2).encode()))

    def test_any_pieces(self):
        whole = parse(self.body)
        self.assertEqual([r[0] for r in whole], [0, 300])
        self.assertEqual([k for k, _ in whole[0][2]], [wire.ACK, 0x3FFF, wire.PAD])
        for step in range(1, 40):
            self.assertEqual(parse(self.body, step), whole)

    def test_incomplete_capsule_is_not_handed_over(self):
        got = parse(wire.record(0, 0, wire.Ack(2, 3, 4).encode() * 2)[:-1])
        self.assertEqual((len(got[0][2]), got[0][3]), (1, False))

    def test_malformed(self):
        ack = wire.Ack(2, 3, 4).encode()
        for body in (wire.capsule(wire.RECORD, b"\0\0\0"), wire.varint(1) + wire.varint(81_921),
                     wire.record(0, 0, ack[:-1]), wire.record(0, 0, wire.record(0, 0, b"")),
                     wire.varint(wire.PAD) + wire.varint(65_537), wire.record(0, 0, b"\x40")):
            self.assertRaises(wire.Malformed, parse, body)

    def test_answers_begin_with_record_or_pad(self):
        self.assertRaises(wire.NotCulvertd, parse, b"<html>", 0, True)
        self.assertEqual(len(parse(self.body, 1, True)), 2)


class Authentication(unittest.TestCase):
    tokens = {"alice": [b"0123456789abcdef", b"fedcba9876543210"], "bob": [b"b" * 16]}

    def check(self, **change) -> str | None:
        parts = {"method": "POST", "path": "/culvert/v1/x", "query": "c=0&x=0&m=hello", "now": 1000.0} | change
        header = auth.authorization(parts.pop("name", "alice"), parts.pop("token", b"fedcba9876543210"), "POST",
                                    "/culvert/v1/x", "c=0&x=0&m=hello", parts.pop("ts", 1000))
        return auth.verify(self.tokens, header, **parts)

    def test_good(self):
        self.assertEqual(self.check(), "alice")
        self.assertEqual(self.check(ts=880), "alice")

    def test_bad(self):
        for change in ({"method": "GET"}, {"path": "/"}, {"query": ""}, {"ts": 879}, {"ts": 1121}, {"token": b"?" * 16},
                       {"name": "bob"}, {"name": "eve"}):
            self.assertIsNone(self.check(**change), change)
        half = "Culvert id=alice, ts=1000"
        for header in (None, "", "Basic abc", half, half + ", mac=" + "A" * 43):
            self.assertIsNone(auth.verify(self.tokens, header, "POST", "/", "", 1000.0))

    def test_query(self):
        good = "c=0&x=0&m=poll&e=0123456789abcdef"
        for query in (good, "x=1&c=65535&m=hello", good + "&z=1&z=2", good + "&hold=60000&k=16"):
            self.assertIsNotNone(server_request.parse_query(query), query)
        for query in ("", "c=0&x=0&m=poll", good + "&c=0", good + "&hold=60001", good + "&k=0", good + "&k=17",
                      good.upper(), "c=65536&x=0&m=hello", "c=-1&x=0&m=hello", "c=0&x=9007199254740992&m=hello",
                      "c=0&x=0&m=other", "c=0&m=hello", "c=0&x=0", "c=&x=0&m=hello"):
            self.assertIsNone(server_request.parse_query(query), query)


class Numbers(unittest.TestCase):
    def test_window(self):
        window = records.SeenWindow()
        for number in (0, 5, 4_100):
            self.assertFalse(window.has(number))
            window.add(number)
        for number, seen in ((0, True), (4, True), (5, True), (6, False), (4_100, True), (4_101, False)):
            self.assertEqual(window.has(number), seen, number)
        window.add(1 << 40)
        self.assertLessEqual(len(window.numbers), 1)
        self.assertTrue(window.has(4_101))

    def test_expansion(self):
        window = records.SeenWindow()
        self.assertEqual(window.expand(3, 16), 3)
        window.largest = 0xA82F30EA
        self.assertEqual(window.expand(0x9B32, 16), 0xA82F9B32)   # RFC 9000, appendix A.3
        window.largest = 0x1FFFE
        self.assertEqual(window.expand(5, 16), 0x20005)
        window.largest = 0x20003
        self.assertEqual(window.expand(0xFFFF, 16), 0x1FFFF)

    def test_ranges(self):
        numbers = list(range(100))
        random.Random(1).shuffle(numbers)
        ranges = records.ReceivedRanges()
        for number in numbers:
            if number % 10:
                ranges.add(number, 0.0)
        self.assertEqual(ranges.report(0.0), [(n + 1, n + 9) for n in range(90, -1, -10)])
        self.assertEqual(ranges.report(4.0), [(91, 99)])
        ranges.add(15, 4.0)
        self.assertEqual(ranges.report(4.0), [(91, 99), (11, 19)])

    def test_lateness(self):
        late = records.Lateness()
        self.assertEqual(late.of(1.0, 0xFFFFFFF0), 0)
        self.assertEqual(late.of(1.1, 0xFFFFFFF0 + 60 & 0xFFFFFFFF), 40)
        self.assertEqual(late.of(1.2, 200 - 16 + 30), 0)
        self.assertEqual(late.of(1.3, 300 - 16), 30)
        self.assertEqual(late.of(70.0, 68_900), 0)

    def test_receipt_of_the_future(self):
        carrier = records.Carrier(0)
        self.assertRaises(wire.Malformed, carrier.take_receipt, wire.Receipt(0, 0, [(0, 0)]), 0.0)


class FakeSession:
    received = consumed = 0
    receive_limit = 1_000

    def consume(self, count):
        self.consumed += count


class Halves(unittest.TestCase):
    def test_segments_in_any_order(self):
        rng, data = random.Random(2), bytes(range(256)) * 3
        for _ in range(50):
            half = streams.ReceiveHalf(FakeSession(), 1_000)
            pieces = [(0, 768)] + [tuple(sorted(rng.sample(range(769), 2))) for _ in range(40)]
            pieces += [(i, min(i + 50, 768)) for i in range(0, 768, 50)]
            rng.shuffle(pieces)
            for start, end in pieces:
                half.on_stream(start, data[start:end], end == 768)
            self.assertEqual(half.take(), data)
            self.assertTrue(half.at_end)

    def test_final_size(self):
        half = streams.ReceiveHalf(FakeSession(), 1_000)
        half.on_stream(0, b"abc", True)
        self.assertRaises(streams.ChannelError, half.on_stream, 0, b"abcd", False)
        self.assertRaises(streams.ChannelError, half.on_stream, 0, b"ab", True)
        self.assertRaises(streams.ChannelError, half.on_reset, 2)

    def test_limits(self):
        half = streams.ReceiveHalf(FakeSession(), 900)
        half.on_stream(899, b"x", False)
        self.assertRaises(streams.ChannelError, half.on_stream, 900, b"x", False)
        self.assertRaises(streams.ChannelError, half.on_reset, 901)

    def test_sending(self):
        half = streams.SendHalf(10)
        half.write(b"0123456789abc")
        half.end()
        self.assertEqual(half.take(4, 100), (0, b"0123", False))
        self.assertEqual(half.take(100, 100), (4, b"456789", False))
        self.assertIsNone(half.take(100, 100))
        half.on_ack(2, 100)
        self.assertTrue(half.on_lost(0, 4, False))
        self.assertEqual(half.take(100, 0), (2, b"23", False))
        self.assertEqual(half.take(100, 100), (10, b"abc", True))
        half.on_ack(13, 100)
        self.assertTrue(half.on_lost(10, 13, True))
        self.assertEqual(half.take(100, 0), (13, b"", True))
        half.on_ack(14, 100)
        half.on_ack(14, 100)
        self.assertEqual(half.state, streams.SendState.DONE)


class Lines(unittest.TestResult):
    def addSuccess(self, test):
        print("ok", test.id().removeprefix("__main__."))

    def _report(self, test, error):
        print("not ok", test.id().removeprefix("__main__."), repr(error[1]))

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._report(test, error)

    addError = addFailure


if __name__ == "__main__":
    result = Lines()
    unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]).run(result)
    sys.exit(0 if result.wasSuccessful() else 1)
