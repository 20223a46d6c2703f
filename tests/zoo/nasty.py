#!/usr/bin/python3
"""nasty: a forward proxy with a switch for each fault that no real one shows on demand.

It intercepts TLS with a CA of its own and passes HTTP on as it comes, or (--mode tunnel) passes CONNECT tunnels unseen.
What it does wrong is said by switches, at the start (--set NAME=VALUE) and while it runs: lines NAME=VALUE in the file
DIR/control, which is read again when it changes (words with a # in front mean nothing). --switches lists them.

Everything lies in --dir: ca.crt (for clients to trust), control, exchanges.log with a line for each event:
    time client kind method url status bytes-up bytes-down milliseconds
kind is connect, tunnel (passed on unseen), exchange (HTTP seen inside), refused (the connection limit), cut (method says
by what: age, bytes, idle) or switch (method and url say name and value). Prints "ready tcp ADDR:PORT nasty".
"""
import argparse
import asyncio
import os
import socket
import ssl
import struct
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "proxies")]
from authority import Authority  # noqa: E402
from nasty_http import CONTINUE, HINTS, LIMIT, Broken, Exchanges, head  # noqa: E402
from nasty_switches import HELP, Switches  # noqa: E402
from wire import host_port, response  # noqa: E402

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
TICK = 0.05  # seconds between two looks at clocks and the control file


class Slots:
    """How many connections each client has."""

    def __init__(self, switches):
        self.switches, self.used = switches, {}

    async def enter(self, client):
        while self.switches.limit and self.used.get(client, 0) >= self.switches.limit:
            if self.switches.over == "refuse":
                return False
            await asyncio.sleep(TICK / 5)
        self.used[client] = self.used.get(client, 0) + 1
        return True

    def leave(self, client):
        self.used[client] -= 1


class Proxy:
    """What all connections share."""

    def __init__(self, options):
        self.options = options
        self.switches = Switches(options.set)
        self.authority = Authority(options.dir, "nasty proxy CA")
        self.slots = Slots(self.switches)
        self.log_file = open(os.path.join(options.dir, "exchanges.log"), "a", buffering=1)
        self.upstream = ssl.create_default_context(cafile=options.upstream_ca)
        self.faces, self.cache, self.numbers, self.late = {}, {}, {}, set()

    def log(self, client, kind, method, url, status=0, up=0, down=0, began=None):
        took = (time.monotonic() - began) * 1000 if began is not None else 0
        self.log_file.write("%.3f %s %s %s %s %d %d %d %.1f\n" % (time.time(), client, kind, method, url, status, up, down, took))

    def every(self, what, count):
        """Is this the count-th, the twice count-th... of its kind? Never with 0."""
        if not count:
            return False
        self.numbers[what] = self.numbers.get(what, 0) + 1
        return self.numbers[what] % count == 0

    async def face(self, host):
        """The TLS context shown to clients for a host."""
        if host not in self.faces:
            files = await asyncio.to_thread(self.authority.issue, host)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*files)
            self.faces.setdefault(host, context)
        return self.faces[host]

    async def follow(self):
        """Switches that are thrown while it runs."""
        path, known = os.path.join(self.options.dir, "control"), None
        while True:
            try:
                with open(path) as f:
                    text = f.read()
            except OSError:
                text = None
            if text != known and text is not None:
                for word in text.split():
                    if word.startswith("#"):
                        continue
                    try:
                        self.log("-", "switch", *self.switches.throw(word))
                    except ValueError as e:
                        sys.stderr.write("control: %s\n" % e)
            known = text
            await asyncio.sleep(TICK)

    async def accept(self, reader, writer):
        await Connection(self, reader, writer).run()


class Connection:
    """One connection of a client."""

    def __init__(self, proxy, reader, writer):
        self.proxy, self.reader, self.writer = proxy, reader, writer
        self.switches = proxy.switches
        self.client = writer.get_extra_info("peername")[0]
        self.socket = writer.get_extra_info("socket")
        self.began = self.active = time.monotonic()
        self.up = self.down = 0
        self.others = []       # writers towards servers
        self.silent = asyncio.Event()  # set: alive, but nothing passes any more
        self.cut_by = None

    async def run(self):
        if not await self.proxy.slots.enter(self.client):
            self.proxy.log(self.client, "refused", "-", "-", 503)
            self.writer.write(response(503, "Service Unavailable", "too many connections of this client\n"))
            return await self.close()
        watch = asyncio.create_task(self.watch())
        try:
            await self.serve()
        except (Broken, OSError, ssl.SSLError, ValueError, EOFError) as e:
            if not self.cut_by:
                sys.stderr.write("%s: %s: %s\n" % (self.client, type(e).__name__, e))
        finally:
            if self.silent.is_set():
                await asyncio.sleep(3600)
            if not self.cut_by:
                watch.cancel()
            self.proxy.slots.leave(self.client)
            await self.close()

    async def close(self, patience=2.0):
        """TLS says goodbye; whoever does not answer that in time is left without."""
        everything = self.others + [self.writer]
        for each in everything:
            if not each.is_closing():
                each.close()
        await asyncio.sleep(patience)
        for each in everything:
            try:
                each.transport.abort()
            except AttributeError:  # of one that asyncio has put away already
                pass

    def seen(self, up, down):
        """So many bytes were passed on."""
        self.up, self.down, self.active = self.up + up, self.down + down, time.monotonic()

    def due(self):
        """By what this connection is to be cut now, or None."""
        s, now = self.switches, time.monotonic()
        if s.cut_age and now - self.began >= s.cut_age:
            return "age"
        if s.cut_bytes and self.up + self.down >= s.cut_bytes:
            return "bytes"
        if s.cut_idle and now - self.active >= s.cut_idle:
            return "idle"
        return None

    async def watch(self):
        while not self.cut_by:
            await asyncio.sleep(TICK)
            self.cut_by = self.due()
        self.proxy.log(self.client, "cut", self.cut_by, "-", 0, self.up, self.down, self.began)
        if self.switches.cut_how == "stall":
            self.silent.set()
            return
        if self.switches.cut_how == "fin":
            return await self.close(TICK)
        for each in self.others + [self.writer]:
            each.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.transport.abort()

    async def serve(self):
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        method, target, headers = await head(self.reader)
        if method != "CONNECT":
            return await Exchanges(self, None, None).run((method, target, headers))
        if self.switches.auth:
            self.proxy.log(self.client, "connect", method, target, 407)
            self.writer.write(response(407, "Proxy Authentication Required", "who are you?\n",
                                       extra=['Proxy-Authenticate: Basic realm="nasty"']))
            return await self.writer.drain()
        self.proxy.log(self.client, "connect", method, target, 200)
        host, port = host_port(target, 443)
        if self.proxy.options.mode == "tunnel":
            await self.tunnel(target, host, port)
        else:
            await self.intercept(host, port)

    async def intercept(self, host, port):
        face = await self.proxy.face(host)
        self.writer.write((CONTINUE + HINTS if self.switches.interim else b"") + ESTABLISHED)
        await self.writer.start_tls(face)
        self.reader._transport = self.writer.transport  # what Python 3.11 forgets
        await Exchanges(self, host, port).run()

    async def dial(self, host, port, secure):
        """(reader, writer) towards a server; ends with this connection."""
        pair = await asyncio.open_connection(host, port, limit=LIMIT, ssl=self.proxy.upstream if secure else None,
                                             server_hostname=host if secure else None)
        pair[1].get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.others.append(pair[1])
        return pair

    async def tunnel(self, target, host, port):
        reader, writer = await self.dial(host, port, False)
        self.proxy.log(self.client, "tunnel", "-", target)
        self.writer.write((CONTINUE + HINTS if self.switches.interim else b"") + ESTABLISHED)
        await asyncio.gather(self.pipe(self.reader, writer, True), self.pipe(reader, self.writer, False))

    async def pipe(self, reader, writer, up):
        while True:
            data = await reader.read(65536)
            if self.silent.is_set():
                await asyncio.sleep(3600)
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            self.seen(len(data) if up else 0, 0 if up else len(data))
            writer.write(data)
            await writer.drain()


async def serve(options):
    proxy = Proxy(options)
    follow = asyncio.create_task(proxy.follow())
    host, port = host_port(options.listen, 0)
    server = await asyncio.start_server(proxy.accept, host, port, limit=LIMIT, backlog=128)
    print("ready tcp %s:%d nasty" % server.sockets[0].getsockname(), flush=True)
    await asyncio.gather(server.serve_forever(), follow)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--listen", default="127.0.0.1:0")
    a.add_argument("--dir")
    a.add_argument("--mode", choices=("intercept", "tunnel"), default="intercept")
    a.add_argument("--upstream-ca", help="file of CAs for servers (default: the system's)")
    a.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    a.add_argument("--switches", action="store_true", help="list the switches")
    options = a.parse_args()
    if options.switches:
        print(HELP)
        return
    if not options.dir:
        a.error("--dir is missing")
    try:
        asyncio.run(serve(options))
    except ValueError as e:
        sys.exit("nasty: %s" % e)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
