"""Stream and datagram channels: halves, offsets, limits (PROTOCOL.md, sections 4.4 and 6)."""

from __future__ import annotations

import asyncio
import enum

import records
import wire

SEND_BUFFER = 512 * 1024   # bytes taken from the local side and not yet acknowledged
ACK_DELAY = 0.1            # section 6.2


class ChannelError(Exception):
    """The peer broke section 6.2 on one channel, which is then reset with PROTOCOL."""


class NoRoom(Exception):
    """A capsule is refused for lack of room: its record is not receipted (4.1)."""


class Signal:
    """Wakes everything that waits for it."""

    def __init__(self):
        self._futures: list[asyncio.Future] = []

    def set(self) -> None:
        for future in self._futures:
            if not future.done():
                future.set_result(None)
        self._futures.clear()

    async def wait(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        await future


class SendState(enum.Enum):
    OPEN, FIN_SENT, RESET_SENT, DONE = range(4)


class ReceiveState(enum.Enum):
    OPEN, SIZE_KNOWN, DONE = range(3)


class SendHalf:
    """Our bytes of a stream channel."""

    def __init__(self, limit: int):
        self.state = SendState.OPEN
        self.buffer = bytearray()   # bytes from `acked` on
        self.acked = 0
        self.highest = 0            # the highest offset sent
        self.limit = limit          # the peer's, absolute
        self.ended = False          # the local side has ended
        self.lost: list[tuple[int, int]] = []
        self.fin_lost = False
        self.reset_code = wire.NONE

    @property
    def size(self) -> int:
        return self.acked + len(self.buffer)

    @property
    def alive(self) -> bool:
        return self.state in (SendState.OPEN, SendState.FIN_SENT)

    @property
    def has_room(self) -> bool:
        return len(self.buffer) < SEND_BUFFER

    def write(self, octets: bytes) -> None:
        if self.state == SendState.OPEN and not self.ended:
            self.buffer += octets

    def end(self) -> None:
        self.ended = True

    def take(self, most: int, credit: int) -> tuple[int, bytes, bool] | None:
        """The next segment worth sending: what was lost first, then new bytes within all limits."""
        if not self.alive:
            return None
        return self._take_lost(most) or self._take_new(most, credit)

    def _take_lost(self, most: int) -> tuple[int, bytes, bool] | None:
        while self.lost:
            start, end = self.lost.pop(0)
            start = max(start, self.acked)
            if start >= end:
                continue
            if end - start > most:
                self.lost.insert(0, (start + most, end))
                end = start + most
            return self._segment(start, end)
        if self.fin_lost:
            return self._segment(self.size, self.size)
        return None

    def _take_new(self, most: int, credit: int) -> tuple[int, bytes, bool] | None:
        if self.state == SendState.FIN_SENT:
            return None
        count = max(0, min(most, credit, self.size - self.highest, self.limit - self.highest))
        if count == 0 and not (self.ended and self.highest == self.size):
            return None
        start = self.highest
        self.highest += count
        return self._segment(start, start + count)

    def _segment(self, start: int, end: int) -> tuple[int, bytes, bool]:
        fin = self.ended and end == self.size
        if fin:
            self.state, self.fin_lost = SendState.FIN_SENT, False
        return start, bytes(self.buffer[start - self.acked:end - self.acked]), fin

    def on_lost(self, start: int, end: int, fin: bool) -> bool:
        """Bytes that are not acknowledged go again; false if none of this matters any more."""
        if not self.alive:
            return False
        if max(start, self.acked) < end:
            self.lost.append((max(start, self.acked), end))
        self.fin_lost |= fin
        return bool(self.lost) or self.fin_lost

    def on_ack(self, offset: int, limit: int) -> None:
        self.limit = max(self.limit, limit)   # a lower value is ignored
        if self.state == SendState.DONE:
            return                            # ACKs repeat
        finished = self.state in (SendState.FIN_SENT, SendState.RESET_SENT)
        if offset > self.highest + finished:
            raise ChannelError("ACK beyond what was sent")
        if finished and offset == self.highest + 1:
            self.state = SendState.DONE
            self.buffer.clear()
            self.lost.clear()
        elif offset > self.acked:
            del self.buffer[:offset - self.acked]
            self.acked = offset

    def reset(self, code: int) -> bool:
        """OPEN or FIN_SENT -> RESET_SENT; false if there is nothing to reset."""
        if not self.alive:
            return False
        self.state, self.reset_code = SendState.RESET_SENT, code
        self.lost.clear()
        return True


class ReceiveHalf:
    """The peer's bytes of a stream channel.  `session` has the session's limits (WINDOW)."""

    def __init__(self, session, window: int):
        self.session = session
        self.window = window
        self.state = ReceiveState.OPEN
        self.ready = bytearray()                # in order, not yet delivered
        self.pieces: dict[int, bytes] = {}      # out of order
        self.next = 0                           # the next byte in order
        self.delivered = 0
        self.highest = 0
        self.final: int | None = None
        self.limit = window                     # what we allow, absolute
        self.discards = False                   # the local side is gone: take bytes and drop them
        self.was_reset = False
        self.unannounced = 0                    # bytes delivered since the last ACK
        self.ack_due: float | None = None
        self.end_announced = False

    # -- what comes

    def on_stream(self, offset: int, octets: bytes, fin: bool) -> None:
        if self.state == ReceiveState.DONE:
            return
        end = offset + len(octets)
        self._check_final(end, end if fin else None)
        self._check_limits(end)
        if fin:
            self.final, self.state = end, ReceiveState.SIZE_KNOWN
        self._raise_highest(end)
        self._store(offset, octets)
        if self.discards:
            self.deliver(len(self.ready))

    def _check_final(self, end: int, final: int | None) -> None:
        if self.final is not None and (end > self.final or final not in (None, self.final)):
            raise ChannelError("final size contradicted")
        if final is not None and final < self.highest:
            raise ChannelError("final size below bytes received")

    def _check_limits(self, end: int) -> None:
        more = max(0, end - self.highest)
        if end > self.limit or self.session.received + more > self.session.receive_limit:
            raise ChannelError("beyond a limit")

    def _raise_highest(self, end: int) -> None:
        if end > self.highest:
            self.session.received += end - self.highest
            self.highest = end

    def _store(self, offset: int, octets: bytes) -> None:
        if offset > self.next:
            if len(octets) > len(self.pieces.get(offset, b"")):
                if sum(map(len, self.pieces.values())) + len(octets) > 2 * self.window + wire.INNER_CAPSULE_MAX:
                    raise NoRoom
                self.pieces[offset] = octets
            return
        self._append(offset, octets)
        for start in sorted(self.pieces):
            if start > self.next:
                break
            self._append(start, self.pieces.pop(start))

    def _append(self, offset: int, octets: bytes) -> None:
        fresh = octets[self.next - offset:]
        self.ready += fresh
        self.next += len(fresh)

    def on_reset(self, final: int) -> None:
        """Any state -> DONE; the rest is not delivered."""
        if self.state == ReceiveState.DONE:
            return
        if final < self.highest or self.final not in (None, final):
            raise ChannelError("RESET contradicts the final size")
        self._check_limits(final)
        self._raise_highest(final)
        self.session.consume(final - self.delivered)
        self.final, self.delivered, self.state, self.was_reset = final, final, ReceiveState.DONE, True
        self.ready.clear()
        self.pieces.clear()

    # -- what the local side takes

    @property
    def at_end(self) -> bool:
        return self.final is not None and self.next == self.final and not self.ready

    def take(self) -> bytes:
        octets = bytes(self.ready)
        self.ready.clear()
        return octets

    def deliver(self, count: int) -> None:
        """`count` bytes from the front were taken by the local side (or are dropped, when it is gone)."""
        if self.state == ReceiveState.DONE:
            return
        if self.discards:
            self.ready.clear()
        self.delivered += count
        self.limit = max(self.limit, self.delivered + self.window)
        self.unannounced += count
        self.session.consume(count)
        if self.discards and self.at_end:
            self.deliver_end()

    def deliver_end(self) -> None:
        self.state = ReceiveState.DONE

    def discard(self) -> None:
        self.discards = True
        count = self.next - self.delivered
        if count or self.at_end:
            self.deliver(count)

    @property
    def ack_offset(self) -> int:
        return self.final + 1 if self.state == ReceiveState.DONE else self.delivered


class StreamChannel:
    """One TCP connection.  `changed` wakes the local side (pump.py)."""

    kind = wire.KIND_STREAM

    def __init__(self, session, ident: int, target: str, send_limit: int, receive_window: int):
        self.session = session
        self.ident = ident
        self.target = target
        self.parameters: dict[int, wire.Parameter] = {}
        self.send = SendHalf(send_limit)
        self.receive = ReceiveHalf(session, receive_window)
        self.changed = Signal()
        self.open_sent = False
        self.opened = False
        self.close_code: int | None = None   # we have sent CLOSE
        self.lost_code: int | None = None    # the channel is gone with its session, or was refused

    @property
    def ended(self) -> bool:
        return self.send.state == SendState.DONE and self.receive.state == ReceiveState.DONE


class DatagramChannel:
    """One UDP 5-tuple."""

    kind = wire.KIND_DATAGRAM

    def __init__(self, ident: int, target: str, deadline: int):
        self.ident = ident
        self.target = target
        self.parameters: dict[int, wire.Parameter] = {}
        self.deadline = deadline
        self.next_sequence = 0
        self.known_seen = -1       # the largest sequence of ours that is known to have come
        self.window = records.SeenWindow()
        self.open_sent = False
        self.opened = False
        self.used_at = records.monotonic()
        self.idle = 60.0           # seconds, 0 = none
        self.close_code: int | None = None
        self.user: object = None   # the local socket's side

    def form(self, sequence: int) -> int:
        """Bytes enough for more than twice what may be unseen (4.4)."""
        unseen = sequence - self.known_seen
        if 2 * unseen + 2 < 1 << 16:
            return 0
        return 1 if 2 * unseen + 2 < 1 << 24 else 2

    def accept(self, datagram: wire.Datagram, lateness: int) -> bool:
        """Deliver at most once, and not when it is too late (4.3, 4.4)."""
        sequence = self.window.expand(datagram.low, datagram.bits)
        if self.window.has(sequence):
            return False
        self.window.add(sequence)
        return lateness + datagram.age <= self.deadline
