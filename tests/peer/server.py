"""The peer as server: connections, authentication, sessions (PROTOCOL.md, sections 2 and 5)."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import sys
import time

import auth
import http1
import server_websocket
import wire
from records import monotonic
from server_exchange import ExchangeServer
from server_request import Request, parse_query
from server_session import ServerSession, Service
from session import Settings

COVER = b"Not Found\n"
TOMBSTONE_TIME = 600.0                       # section 5
BODY_ERRORS = (OSError, http1.HttpError, wire.Malformed, asyncio.TimeoutError)


class Server:
    def __init__(self, tokens: dict[str, list[bytes]], services: dict[str, Service], base: str,
                 settings: Settings, clock_offset: float = 0.0):
        self.clock_offset = clock_offset   # --clock: a clock that is wrong
        self.tokens = tokens
        self.services = services
        self.base = base
        self.settings = settings
        self.epoch = int.from_bytes(os.urandom(8), "big") or 1
        self.node = int.from_bytes(os.urandom(8), "big")
        self.sessions: dict[tuple[str, str], ServerSession] = {}
        self.tombstones: dict[tuple[str, str], float] = {}
        self.exchanges = 0

    # ------------------------------------------------------------ sessions

    def bury(self, session: ServerSession) -> None:
        now = monotonic()
        self.sessions.pop(session.key, None)
        self.tombstones = {key: end for key, end in self.tombstones.items() if end > now}
        self.tombstones[session.key] = now + TOMBSTONE_TIME

    def is_buried(self, key: tuple[str, str]) -> bool:
        return self.tombstones.get(key, 0.0) > monotonic()

    def go_away(self) -> None:
        """Ask every helper to open new channels elsewhere (SIGUSR1)."""
        for session in self.sessions.values():
            session.pending[("goaway",)] = None
            session.kick()

    async def shut_down(self) -> None:
        for session in list(self.sessions.values()):
            session.end(wire.BYE, wire.SHUTDOWN)
        await asyncio.sleep(0.3)

    # ------------------------------------------------------------ connections and requests

    async def on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=65_536)
        try:
            while await self._serve_one(reader, writer):
                pass
            writer.close()
        except BODY_ERRORS as error:
            if self.settings.verbose and not isinstance(error, ConnectionError):
                print("peer: connection ends:", repr(error), file=sys.stderr, flush=True)
            http1.abort(writer)
        except asyncio.CancelledError:
            http1.abort(writer)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One exchange; false if the connection cannot carry another."""
        try:
            head = await http1.read_head(reader)
        except http1.HttpError:
            await self._cover(writer, "GET", False)
            return False
        if head is None:
            return False
        request = self._authenticate(head)
        if request is None:
            return await self._answer_cover(reader, writer, head)
        if request.mode == "websocket" and (status := server_websocket.refusal(head)):
            await self._cover(writer, "GET", False, status)
            return False
        self.exchanges += 1
        lose = bool(self.settings.lose_every) and self.exchanges % self.settings.lose_every == 0
        body = http1.BodyReader(reader, head, False)
        return await ExchangeServer(self, request, reader, writer, body, lose).run()

    def _authenticate(self, head: http1.Head) -> Request | None:
        """Sections 2.1 and 2.2; everything that is not right gets the same cover."""
        method, target, version = head.first
        if not version.startswith("HTTP/1."):
            return None
        target = re.sub(r"\Ahttps?://[^/?]*", "", target, flags=re.I)
        path, _, query = target.partition("?")
        identity = auth.verify(self.tokens, head.headers.get("authorization"), method, path, query,
                               time.time() + self.clock_offset)
        matched = re.fullmatch(re.escape(self.base) + r"/v1/([A-Za-z0-9_-]{22})", path)
        fields = parse_query(query)
        if identity is None or matched is None or fields is None:
            return None
        if not server_websocket.is_asked_for(head) if fields["m"] == "websocket" else method != "POST":
            return None
        return Request(identity, matched.group(1), fields["c"], fields["x"], fields["m"], fields.get("hold", 0),
                       fields.get("k", 1), fields.get("e"), head, fields)

    async def _answer_cover(self, reader, writer, head: http1.Head) -> bool:
        body = http1.BodyReader(reader, head, False)
        keep = head.keeps_connection and not body.chunked and body.left <= 65_536
        while keep and await asyncio.wait_for(body.read(), 10.0):
            pass
        await self._cover(writer, head.first[0], keep)
        return keep

    async def _cover(self, writer: asyncio.StreamWriter, method: str, keep: bool, status: str = "404 Not Found") -> None:
        headers = {"Date": http1.http_date(self.clock_offset), "Content-Type": "text/plain",
                   "Content-Length": str(len(COVER))}
        if not keep:
            headers["Connection"] = "close"
        writer.write(http1.format_head(f"HTTP/1.1 {status}", headers) + (b"" if method == "HEAD" else COVER))
        await writer.drain()


def make_tls(cert: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
