"""Bodies cut into records and capsules (PROTOCOL.md, section 4)."""

from __future__ import annotations

from wire import (INNER_CAPSULE_MAX, PAD, PAD_MAX, RECORD, TOP_CAPSULE_MAX, Malformed, NotCulvertd,
                  read_varint)


class BodyParser:
    """Cuts a body, as it comes, into records and their capsules, each handed over as soon as it is complete.

    The sink has begin_record(number, clock), take_capsule(kind, value) and end_record().
    """

    def __init__(self, sink, is_answer: bool):
        self.sink = sink
        self.buffer = bytearray()
        self.expect_first = is_answer   # the first capsule of an answer must be RECORD or PAD (2.3)
        self.skip = 0                   # octets of a top-level value that are still to be dropped
        self.record_left = -1           # octets of the current record not yet parsed; -1: at top level
        self.record_begun = False

    def feed(self, data: bytes) -> None:
        self.buffer += data
        while self._step():
            pass

    def _step(self) -> bool:
        if self.skip:
            return self._skip()
        if self.record_left < 0:
            return self._top_level()
        if not self.record_begun:
            return self._record_head()
        if self.record_left == 0:
            self.record_left = -1
            self.sink.end_record()
            return True
        return self._inner()

    def _skip(self) -> bool:
        count = min(self.skip, len(self.buffer))
        del self.buffer[:count]
        self.skip -= count
        return self.skip == 0

    def _check_first(self) -> None:
        got = read_varint(self.buffer, 0, len(self.buffer))
        if got is None:
            return
        if got[0] not in (RECORD, PAD):
            raise NotCulvertd("body does not begin with RECORD or PAD")
        self.expect_first = False

    def _top_level(self) -> bool:
        if self.expect_first:
            self._check_first()
        head = self._capsule_head(len(self.buffer))
        if head is None:
            return False
        kind, length, pos = head
        if length > (PAD_MAX if kind == PAD else TOP_CAPSULE_MAX):
            raise Malformed("top-level capsule too long")
        del self.buffer[:pos]
        if kind == RECORD:
            self.record_left, self.record_begun = length, False
        else:
            self.skip = length
        return True

    def _capsule_head(self, end: int) -> tuple[int, int, int] | None:
        kind = read_varint(self.buffer, 0, end)
        if kind is None:
            return None
        length = read_varint(self.buffer, kind[1], end)
        return None if length is None else (kind[0], length[0], length[1])

    def _record_head(self) -> bool:
        end = min(self.record_left, len(self.buffer))
        number = read_varint(self.buffer, 0, end)
        if number is None or number[1] + 4 > end:
            if end == self.record_left:
                raise Malformed("record ends within its head")
            return False
        size = number[1] + 4
        clock = int.from_bytes(self.buffer[number[1]:size], "big")
        self._consume(size)
        self.record_begun = True
        self.sink.begin_record(number[0], clock)
        return True

    def _inner(self) -> bool:
        end = min(self.record_left, len(self.buffer))
        head = self._capsule_head(end)
        if head is None:
            if end == self.record_left:
                raise Malformed("record ends within a capsule's head")
            return False
        kind, length, pos = head
        if length > (PAD_MAX if kind == PAD else INNER_CAPSULE_MAX):
            raise Malformed("capsule too long")
        if kind == RECORD:
            raise Malformed("RECORD within RECORD")
        if pos + length > self.record_left:
            raise Malformed("capsule crosses the end of its record")
        if pos + length > end:
            return False
        value = bytes(self.buffer[pos:pos + length])
        self._consume(pos + length)
        self.sink.take_capsule(kind, value)
        return True

    def _consume(self, count: int) -> None:
        del self.buffer[:count]
        self.record_left -= count
