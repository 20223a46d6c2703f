"""The exchanges of nasty.py: HTTP/1 heads and bodies that go on as they come, or as the switches say."""
import asyncio
import sys
import time

from wire import header, host_port, response

LIMIT = 1 << 17
HELD_MAX = 64 << 20
LATE = 1.0  # seconds by which a late copy of a request is
COPY_WAITS = 2.0  # seconds for the answer to a copy that nobody waits for
HOP = {"connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect",
       "proxy-authorization"}
PAGE = "<html><head><title>Notice</title></head><body>Your session is being checked. Please try again.</body></html>\n"


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\nContent-Length: 5\r\n\r\n"


class Broken(Exception):
    """The peer ended early or sent what is no HTTP."""


class Refusal(Exception):
    """An answer of the proxy's own; the connection ends."""

    def __init__(self, status, reason, extra=()):
        super().__init__(reason)
        self.status, self.reason, self.extra = status, reason, extra


async def head(reader):
    """The three words of the first line, with [(name, value)...] in place of a request's version or, of an answer,
    (version, status, headers). Raises Broken at the end of the stream."""
    try:
        block = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as e:
        raise Broken("ended in a head" if e.partial else "ended") from None
    except asyncio.LimitOverrunError:
        raise Broken("head too long") from None
    lines = block[:-4].decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    if len(words) < 2:
        raise Broken("not HTTP: %r" % lines[0][:80])
    pairs = [(n.strip(), v.strip()) for n, colon, v in (line.partition(":") for line in lines[1:]) if colon]
    return words[0], words[1], pairs


async def read(reader, size):
    data = await reader.read(size)
    if not data:
        raise Broken("ended in a body")
    return data


async def pieces(reader, headers, answer=False):
    """The body, piece by piece as it comes, without its framing."""
    if "chunked" in header(headers, "transfer-encoding").lower():
        while True:
            left = int((await line(reader)).split(b";")[0], 16)
            if not left:
                while await line(reader):
                    pass
                return
            while left:
                data = await read(reader, min(left, 65536))
                left -= len(data)
                yield data
            await line(reader)
    length = header(headers, "content-length")
    if length:
        left = int(length)
        while left:
            data = await read(reader, min(left, 65536))
            left -= len(data)
            yield data
    elif answer:
        while True:
            data = await reader.read(65536)
            if not data:
                return
            yield data


async def whole(reader, headers, answer=False):
    return b"".join([data async for data in pieces(reader, headers, answer)])


async def line(reader):
    try:
        return (await reader.readuntil(b"\r\n"))[:-2]
    except asyncio.IncompleteReadError:
        raise Broken("ended in a body") from None


class Gate:
    """Bytes of one message of one way on their way out. They wait as long as holds() says."""

    def __init__(self, writer, holds, trickle=lambda: 0, seen=lambda n: None):
        self.writer, self.holds, self.trickle, self.seen = writer, holds, trickle, seen
        self.held, self.total, self.ended = bytearray(), 0, False
        self.dripped = time.monotonic()
        self.watcher = asyncio.create_task(self.watch())

    async def write(self, data):
        self.held += data
        self.total += len(data)
        if len(self.held) > HELD_MAX:
            raise Broken("more than the proxy can hold")
        if not self.holds():
            await self.flush()

    async def flush(self, size=None):
        data = bytes(self.held[:size])
        del self.held[:size]
        if data:
            self.seen(len(data))
            self.writer.write(data)
            await self.writer.drain()

    async def end(self):
        self.ended = True
        await self.flush()
        self.watcher.cancel()

    async def watch(self):
        """What was held goes on when the reason for it has gone; one byte now and then with trickle."""
        try:
            while True:
                await asyncio.sleep(0.02)
                if self.held and not self.holds():
                    await self.flush()
                elif self.held and self.trickle() and time.monotonic() - self.dripped >= self.trickle():
                    self.dripped = time.monotonic()
                    await self.flush(1)
        except (OSError, RuntimeError):
            pass


def altered(data):
    """One byte in the middle is another one."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1:]


class Exchanges:
    """All exchanges of one connection of a client, one after the other."""

    def __init__(self, connection, host, port):
        self.c, self.proxy, self.s = connection, connection.proxy, connection.switches
        self.host, self.port = host, port  # of an intercepted tunnel; None: each request says it
        self.server = None                 # (reader, writer, host, port), kept between exchanges
        self.up = self.down = 0
        self.lost = False                  # the answer that comes goes nowhere

    async def run(self, first=None):
        keep = True
        while keep:
            try:
                request = first or await head(self.c.reader)
            except Broken:
                return
            first, began = None, time.monotonic()
            self.up = self.down = 0
            if self.s.interim:
                self.c.writer.write(CONTINUE)
            method, target, headers = request
            host, port, path, url = self.place(target)
            status = 0
            try:
                status, keep = await self.exchange(method, path, headers, host, port, url)
            except Refusal as e:
                status, keep = e.status, False
                self.c.writer.write(response(e.status, e.reason, "nasty proxy: %s\n" % e, extra=e.extra))
                await self.c.writer.drain()
            finally:
                self.proxy.log(self.c.client, "exchange", method, url, status, self.up, self.down, began)

    def place(self, target):
        if self.host:
            return self.host, self.port, target, "https://%s:%d%s" % (self.host, self.port, target)
        if not target.startswith("http://"):
            raise Broken("not a request to a proxy: " + target)
        authority, _, path = target[7:].partition("/")
        return host_port(authority, 80) + ("/" + path, target)

    async def exchange(self, method, path, headers, host, port, url):
        """(status, does the connection go on?)"""
        self.refusals(headers)
        if self.proxy.every("html200", self.s.html200):
            return await self.page()
        if self.s.replay and url in self.proxy.cache:
            return await self.again(url, headers)
        if self.proxy.every("lose_up", self.s.lose_up):
            await whole(self.c.reader, headers)
            raise Broken("a request was lost")
        if method == "POST" and header(headers, "content-length"):
            if self.proxy.every("duplicate", self.s.duplicate):
                return await self.twice(method, path, headers, host, port, False)
            if self.proxy.every("late", self.s.late):
                return await self.twice(method, path, headers, host, port, True)
        self.lost = self.proxy.every("lose_down", self.s.lose_down)
        reader, writer = await self.reach(host, port)
        if header(headers, "upgrade"):
            return await self.upgrade(reader, writer, method, path, headers)
        body = pieces(self.c.reader, headers)
        self.done = asyncio.Event()  # the request has ended
        up = asyncio.create_task(self.relay_up(writer, method, path, headers, body))
        try:
            status, keep = await self.unless_gone(self.relay_down(reader, url))
            early = not up.done()
            if not early:
                up.result()
            return status, keep and not early
        finally:
            up.cancel()

    async def upgrade(self, reader, writer, method, path, headers):
        """Another protocol is asked for: what both sides say passes as it is, or not at all."""
        more = ["Connection: Upgrade", "Upgrade: " + header(headers, "upgrade")]
        writer.write("\r\n".join(["%s %s HTTP/1.1" % (method, path)] + self.passed_on(headers, *more)).encode("latin-1"))
        _, status, answer = await self.answer_head(reader)
        if status != "101":
            raise Refusal(502, "the server does not switch")
        self.c.writer.write("\r\n".join(["HTTP/1.1 101 Switching Protocols"] + self.passed_on(answer, *more)).encode("latin-1"))
        try:
            if self.s.upgrade == "lie":
                while await self.c.reader.read(65536):
                    pass
            else:
                both = [asyncio.create_task(self.c.pipe(self.c.reader, writer, True)), asyncio.create_task(self.c.pipe(reader, self.c.writer, False))]
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                for task in both:
                    task.cancel()
        finally:
            self.shut()
        return 101, False

    async def unless_gone(self, answer):
        """The answer's outcome; Broken as soon as nobody waits for it any more."""
        task = asyncio.create_task(answer)
        try:
            while not task.done():
                if self.c.reader.at_eof() or self.c.reader.exception():
                    raise Broken("the client did not wait for its answer")
                await asyncio.wait((task,), timeout=0.02)
            return task.result()
        finally:
            task.cancel()

    def refusals(self, headers):
        chunked = "chunked" in header(headers, "transfer-encoding").lower()
        if self.s.auth:
            raise Refusal(407, "Proxy Authentication Required", ['Proxy-Authenticate: Basic realm="nasty"'])
        if header(headers, "upgrade") and self.s.upgrade == "426":
            raise Refusal(426, "Upgrade Required")
        if chunked and self.s.chunked != "pass":
            raise Refusal(int(self.s.chunked), "Length Required" if self.s.chunked == "411" else "Not Implemented")
        self.measure(int(header(headers, "content-length", "0")))

    def measure(self, size):
        """Is a request body too large?"""
        if not self.s.max_body or size <= self.s.max_body:
            return
        if self.s.large == "413":
            raise Refusal(413, "Request Entity Too Large")
        self.c.writer.transport.abort()
        raise Broken("request body too large")

    async def reach(self, host, port):
        if self.server and self.server[2:] == (host, port) and not self.server[0].at_eof():
            return self.server[:2]
        try:
            self.server = await self.c.dial(host, port, bool(self.host)) + (host, port)
        except OSError as e:
            sys.stderr.write("%s:%d: %s\n" % (host, port, e))
            raise Refusal(502, "Bad Gateway") from None
        return self.server[:2]

    def shut(self):
        """The connection to the server is of no more use."""
        if self.server:
            self.server[1].close()
            self.c.others.remove(self.server[1])
        self.server = None

    def alone(self):
        return bool(self.s.http10 or self.s.close)

    def passed_on(self, headers, *more):
        lines = ["%s: %s" % h for h in headers if h[0].lower() not in HOP and h[0].lower() not in self.s.strip]
        return lines + ["Via: %s nasty" % ("1.0" if self.s.http10 else "1.1")] + list(more) + ["", ""]

    def count_up(self, size):
        self.up += size
        self.c.seen(size, 0)

    def count_down(self, size):
        self.down += size
        self.c.seen(0, size)

    async def relay_up(self, writer, method, path, headers, body):
        chunked = "chunked" in header(headers, "transfer-encoding").lower()
        gate = Gate(writer, lambda: self.s.stores("up") or gate.total < self.s.hold_up or self.c.silent.is_set(), seen=self.count_up)
        try:
            first = "%s %s HTTP/%s" % (method, path, "1.0" if self.s.http10 else "1.1")
            if chunked and self.s.http10:
                raise Refusal(411, "Length Required")
            lines = [first] + self.passed_on(headers, *(["Transfer-Encoding: chunked"] if chunked else []))
            await gate.write("\r\n".join(lines).encode("latin-1"))
            size = 0
            async for data in body:
                size += len(data)
                self.measure(size)
                if self.s.rewrites("up"):
                    data = altered(data)
                await gate.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
            if chunked:
                await gate.write(b"0\r\n\r\n")
            await gate.end()
        except (Refusal, Broken, OSError):
            self.shut()  # which ends the answer, too
            raise
        finally:
            gate.watcher.cancel()
            self.done.set()

    async def relay_down(self, reader, url):
        while True:
            version, status, headers = await self.answer_head(reader)
            if not status.startswith("1"):
                break
        if self.lost:
            self.shut()
            raise Broken("an answer was lost")
        if self.s.interim:
            self.c.writer.write(HINTS)
        bodyless = status in ("204", "304")
        length = header(headers, "content-length")
        framed = bool(length) or bodyless
        chunked = not framed and not self.alone() and "chunked" in header(headers, "transfer-encoding").lower()
        keep = (framed or chunked) and not self.alone()
        more = (["Transfer-Encoding: chunked"] if chunked else []) + ([] if keep else ["Connection: close"])
        first = "HTTP/%s %s OK" % ("1.0" if self.s.http10 else "1.1", status)
        gate = Gate(self.c.writer, lambda: self.holds_down(gate), lambda: self.s.trickle, self.count_down)
        whole = bytearray()
        try:
            block = "\r\n".join([first] + self.passed_on(headers, *more)).encode("latin-1")
            await gate.write(block)
            if self.s.trickle:
                await gate.flush()
            async for data in pieces(reader, [] if bodyless else headers, not bodyless):
                if self.s.rewrites("down"):
                    data = altered(data)
                whole += data if self.s.replay else b""
                await gate.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
            if chunked:
                await gate.write(b"0\r\n\r\n")
            if self.s.half:
                await self.done.wait()
            await gate.end()
        finally:
            gate.watcher.cancel()
        if self.s.replay:
            self.proxy.cache.setdefault(url, bytes(whole))
        if not keep or "close" in header(headers, "connection").lower() or version == "HTTP/1.0" or self.s.http10:
            self.shut()
        return int(status), keep

    def holds_down(self, gate):
        if self.s.half and not self.done.is_set():
            return True
        return self.s.stores("down") or bool(self.s.trickle) or gate.total < self.s.hold_down or self.c.silent.is_set()

    async def answer_head(self, reader):
        try:
            return await head(reader)
        except (Broken, OSError):
            self.shut()
            raise Refusal(502, "the server gave no answer") from None

    async def page(self):
        """An answer that is none of the server's; what is left of the request is of no interest."""
        self.c.writer.write(response(200, "OK", PAGE, "1.0" if self.s.http10 else "1.1"))
        await self.c.writer.drain()
        self.down += len(PAGE)
        return 200, False

    async def again(self, url, headers):
        await whole(self.c.reader, headers)
        body = self.proxy.cache[url]
        self.c.writer.write(b"HTTP/1.1 200 OK\r\nAge: 1\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n"
                            b"Connection: close\r\n\r\n" % len(body) + body)
        await self.c.writer.drain()
        self.down += len(body)
        return 200, False

    async def twice(self, method, path, headers, host, port, late):
        """The whole request goes to the server twice; the answer to the earlier one, or, if the other is late, to that one, away."""
        body = await whole(self.c.reader, headers)
        data = "\r\n".join(["%s %s HTTP/1.1" % (method, path)] + self.passed_on(headers)).encode("latin-1") + body
        copy = self.copy(data, host, port, LATE if late else 0)
        if late:
            task = asyncio.create_task(copy)
            self.proxy.late.add(task)
            task.add_done_callback(self.proxy.late.discard)
        else:
            await copy
        reader, writer = await self.reach(host, port)
        self.done = asyncio.Event()
        self.done.set()
        writer.write(data)
        self.count_up(len(body))
        return await self.unless_gone(self.relay_down(reader, ""))

    async def copy(self, data, host, port, after):
        writer = None
        await asyncio.sleep(after)
        try:
            reader, writer = await asyncio.open_connection(host, port, limit=LIMIT, ssl=self.proxy.upstream if self.host else None)
            writer.write(data)
            _, _, answer = await asyncio.wait_for(head(reader), COPY_WAITS)
            await whole(reader, answer, True)
            writer.close()
        except (Broken, OSError, asyncio.TimeoutError) as e:
            sys.stderr.write("a copy: %s %s\n" % (type(e).__name__, e))
            if writer:
                writer.transport.abort()
