"""A helper's carriers: the exchanges of the five rungs (PROTOCOL.md, section 3)."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import http1
from helper_link import EXCHANGE_ERRORS, HEAD_WAIT, Link
from helper_websocket import WebSocketLink
from records import Exchange, monotonic
from session import Waker

if TYPE_CHECKING:
    from helper_session import HelperSession

POLL_BODY = 128 * 1024     # what we put into one poll at most
UP_IDLE, UP_LIFE = 4.0, 15.0   # section 3: an idle `up` body is ended within 8 s


class Backoff:
    def __init__(self):
        self.delay = 0.05

    def reset(self) -> None:
        self.delay = 0.05

    async def sleep(self) -> None:
        await asyncio.sleep(self.delay * random.uniform(0.5, 1.0))
        self.delay = min(self.delay * 2, 5.0)


class Polls:
    """The polls of one carrier: k of them held, and one connection more for what is to be sent at once."""

    def __init__(self, session: HelperSession, number: int, holds: bool):
        self.session = session
        self.number = number
        self.hold = min(session.helper.options.hold, session.max_hold) if holds else 0
        self.held = session.helper.options.held if holds else 0
        self.in_flight = 0

    def work(self):
        for _ in range(self.held + 1):
            yield self.run_one()

    async def run_one(self) -> None:
        link, backoff = Link(self.session), Backoff()
        try:
            with Waker(self.session) as waker:
                while not self.session.ended:
                    await self._next(link, waker, backoff)
        finally:
            link.close()

    async def _next(self, link: Link, waker: Waker, backoff: Backoff) -> None:
        exchange = self.session.exchange(self.number, "poll")
        body = self._body(exchange)
        if not body and self.in_flight >= self.held:
            await waker.wait(1.0)
            return
        self.in_flight += 1
        try:
            await self._run(link, exchange, body)
            backoff.reset()
        except EXCHANGE_ERRORS as error:
            link.close()
            self.session.failure(exchange, error)
            await backoff.sleep()
        finally:
            self.in_flight -= 1

    def _body(self, exchange: Exchange) -> bytes:
        body = bytearray()
        while len(body) < POLL_BODY:
            record = self.session.pull(self.number, exchange)
            if not record:
                break
            body += record
        return bytes(body)

    async def _run(self, link: Link, exchange: Exchange, body: bytes) -> None:
        extra = f"&hold={self.hold}&k={max(1, self.held)}" if self.hold else ""
        writer = await link.start(exchange, extra, len(body))
        await writer.write(body)
        round_trip = self.session.carrier(self.number).round_trip.smoothed or 1.0
        await link.answer(exchange, self.hold / 1000 + 2 * round_trip + 5.0, 15.0)
        self.session.exchange_is_over(exchange, False)


class StreamedAnswer:
    """`down`, `duplex` and `websocket`: what they have in common."""

    def __init__(self, session: HelperSession, number: int, mode: str):
        self.session = session
        self.number = number
        self.mode = mode
        self.silence = 1.5 * session.settings.keepalive / 1000   # section 3

    def work(self):
        yield self.run()

    async def run(self) -> None:
        backoff = Backoff()
        while not self.session.ended:
            exchange = self.session.exchange(self.number, self.mode)
            link = WebSocketLink(self.session) if self.mode == "websocket" else Link(self.session)
            begun = monotonic()
            try:
                await self._run(link, exchange)
                self.session.exchange_is_over(exchange, False)
            except EXCHANGE_ERRORS as error:
                self.session.failure(exchange, error)
            finally:
                link.close()
            if monotonic() - begun > 5.0:
                backoff.reset()
            if not self.session.ended:
                await backoff.sleep()

    async def _run(self, link: Link, exchange: Exchange) -> None:
        if self.mode == "down":
            await link.start(exchange, length=0)
            await self._read(link, exchange)
            return
        writer = await link.start(exchange)
        writing = asyncio.create_task(self._write(writer, exchange))
        try:
            await self._read(link, exchange)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _read(self, link: Link, exchange: Exchange) -> None:
        if self.session.helper.loses(exchange):
            link_abort = asyncio.get_running_loop().call_later(random.uniform(0.3, 0.8), link.close)
            exchange.lost_on_purpose = False
        else:
            link_abort = None
        try:
            await link.answer(exchange, HEAD_WAIT, self.silence)
        finally:
            if link_abort:
                link_abort.cancel()

    async def _write(self, writer: http1.BodyWriter, exchange: Exchange) -> None:
        keepalive, sent_at = self.session.settings.keepalive / 1000, monotonic()
        with Waker(self.session) as waker:
            while not self.session.ended:
                record = self.session.pull(self.number, exchange)
                if record:
                    await writer.write(record)
                    sent_at = monotonic()
                    continue
                await waker.wait(max(0.01, sent_at + keepalive - monotonic()))
                if monotonic() - sent_at >= keepalive:
                    self.session.ping(self.number, exchange.x)


class Ups:
    """`up` exchanges of one carrier, one after the other."""

    def __init__(self, session: HelperSession, number: int):
        self.session = session
        self.number = number

    def work(self):
        yield self.run()

    async def run(self) -> None:
        link, backoff = Link(self.session), Backoff()
        try:
            with Waker(self.session) as waker:
                while not self.session.ended:
                    exchange = self.session.exchange(self.number, "up")
                    record = self.session.pull(self.number, exchange)
                    if not record:
                        await waker.wait(1.0)
                        continue
                    await self._attempt(link, exchange, record, waker, backoff)
        finally:
            link.close()

    async def _attempt(self, link: Link, exchange: Exchange, record: bytes, waker: Waker, backoff: Backoff) -> None:
        try:
            await self._run(link, exchange, record, waker)
            backoff.reset()
        except EXCHANGE_ERRORS as error:
            link.close()
            self.session.failure(exchange, error)
            await backoff.sleep()

    async def _run(self, link: Link, exchange: Exchange, record: bytes, waker: Waker) -> None:
        writer = await link.start(exchange)
        answer = asyncio.create_task(link.answer(exchange, UP_LIFE + HEAD_WAIT, HEAD_WAIT))
        try:
            await self._write(writer, exchange, record, waker, answer)
            await answer
            self.session.exchange_is_over(exchange, False)
        finally:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)

    async def _write(self, writer: http1.BodyWriter, exchange: Exchange, record: bytes, waker: Waker,
                     answer: asyncio.Task) -> None:
        begun = written = monotonic()
        while not answer.done() and not self.session.ended:
            if record:
                await writer.write(record)
                written = monotonic()
            elif monotonic() - written > UP_IDLE or monotonic() - begun > UP_LIFE:
                break
            else:
                await waker.wait(0.5)
            record = b"" if monotonic() - begun > UP_LIFE else self.session.pull(self.number, exchange)
        await writer.end()


RUNGS = {
    "duplex": lambda session, n: StreamedAnswer(session, n, "duplex").work(),
    "websocket": lambda session, n: StreamedAnswer(session, n, "websocket").work(),
    "split": lambda session, n: [*Ups(session, n).work(), *StreamedAnswer(session, n, "down").work()],
    "push": lambda session, n: [*Polls(session, n, False).work(), *StreamedAnswer(session, n, "down").work()],
    "poll": lambda session, n: Polls(session, n, True).work(),
}
