"""The little of HTTP/1.1 that PROTOCOL.md section 2 needs, on asyncio streams."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime

HEAD_MAX = 7_168       # section 2.1, for requests; used for answers as well
STREAM_LIMIT = 1 << 17


class HttpError(Exception):
    """The peer does not speak HTTP/1.x as it should; nothing more can be read from this connection."""


@dataclass
class Head:
    """A parsed request or answer head; header names in lower case, repeated ones joined by a comma."""
    first: tuple[str, str, str]
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_old(self) -> bool:
        """True for a request of HTTP/1.0 or one that came over a proxy which speaks it (section 2.3)."""
        if self.first[2] == "HTTP/1.0":
            return True
        return any(hop.strip().split(" ")[0].lower() in ("1.0", "http/1.0")
                   for hop in self.headers.get("via", "").split(","))

    @property
    def keeps_connection(self) -> bool:
        version = self.first[2] if self.first[2].startswith("HTTP/") else self.first[0]
        tokens = {t.strip().lower() for t in self.headers.get("connection", "").split(",")}
        return "close" not in tokens and (version == "HTTP/1.1" or "keep-alive" in tokens)


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """One head, None at the end of the connection."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise HttpError("connection ends within a head") from None
        return None
    except asyncio.LimitOverrunError:
        raise HttpError("head too long") from None
    if len(raw) > HEAD_MAX:
        raise HttpError("head too long")
    lines = raw.decode("latin-1").split("\r\n")[:-2]
    first = lines[0].split(" ", 2)
    if len(first) < 2:
        raise HttpError("bad first line")
    return Head((first[0], first[1], first[2] if len(first) > 2 else ""), _read_headers(lines[1:]))


def _read_headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise HttpError("bad header line")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


class BodyReader:
    """Reads one message body in pieces; read() returns b"" at its end, in order or by the connection's end."""

    def __init__(self, reader: asyncio.StreamReader, head: Head, is_answer: bool):
        self.reader = reader
        self.done = False
        self.left = 0
        coding = head.headers.get("transfer-encoding", "").lower()
        length = head.headers.get("content-length")
        if coding not in ("", "identity", "chunked") or (coding == "chunked" and length is not None):
            raise HttpError("bad framing of a body")
        self.chunked = coding == "chunked"
        self.until_close = is_answer and not self.chunked and length is None
        if length is not None and not re.fullmatch(r"[0-9]{1,15}", length):
            raise HttpError("bad Content-Length")
        self.left = int(length or 0)
        self.first_chunk = True

    async def read(self) -> bytes:
        if self.done:
            return b""
        if self.chunked and self.left == 0:
            await self._chunk_head()
        if not self.until_close and self.left == 0:
            self.done = True
            return b""
        data = await self.reader.read(65_536 if self.until_close else min(self.left, 65_536))
        if not data and not self.until_close:
            raise HttpError("connection ends within a body")
        self.done = not data
        self.left -= 0 if self.until_close else len(data)
        return data

    async def _line(self) -> bytes:
        try:
            line = await self.reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise HttpError("connection ends within a chunked body") from None
        return line.rstrip(b"\r\n")

    async def _chunk_head(self) -> None:
        if not self.first_chunk and await self._line() != b"":
            raise HttpError("chunk without its end")
        self.first_chunk = False
        size = (await self._line()).split(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
            raise HttpError("bad chunk size")
        self.left = int(size, 16)
        if self.left == 0:
            while await self._line() != b"":  # trailers are ignored (section 2.1)
                pass
            self.done = True


class BodyWriter:
    """Writes a body, chunked or plain, in pieces of `split` octets when that is not 0."""

    def __init__(self, writer: asyncio.StreamWriter, chunked: bool, split: int = 0):
        self.writer = writer
        self.chunked = chunked
        self.split = split

    async def write(self, data: bytes) -> None:
        step = self.split or max(len(data), 1)
        for pos in range(0, len(data), step):
            piece = data[pos:pos + step]
            self.writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if self.chunked else piece)
            if pos % 4096 < step:
                await self.writer.drain()
        await self.writer.drain()

    async def end(self) -> None:
        if self.chunked:
            self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()


def http_date(offset: float = 0.0) -> str:
    return formatdate(time.time() + offset, usegmt=True)


def seconds_of_date(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        return parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError):
        return None


def format_head(first: str, headers: dict[str, str]) -> bytes:
    lines = [first] + [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def abort(writer: asyncio.StreamWriter) -> None:
    """Close at once, without sending what is still buffered."""
    writer.transport.abort()
