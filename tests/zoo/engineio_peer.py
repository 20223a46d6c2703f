#!/usr/bin/python3
"""engineio_peer: how late do voice-like messages get by engine.io's polling?

    engineio_peer.py serve --cert F --key F                       prints "ready tcp ADDR:PORT engineio"
    engineio_peer.py measure --server HOST:PORT --cafile F [--proxy URL] [--seconds S]

Both ends send 50 messages of 172 bytes a second, each with the time it was made (one machine, one clock), and note how late those of
the other one are. measure prints JSON: up and down with count, p50_ms and p99_ms, and p50_ms, the worse of both.
"""
import argparse
import asyncio
import json
import os
import ssl
import struct
import time

import aiohttp
import engineio
from aiohttp import web

EVERY, SIZE, WARM_UP = 0.02, 172, 1.0


def message():
    return struct.pack("!q", time.monotonic_ns()).ljust(SIZE, b"v")


async def talk(send):
    """Messages at an even pace until it is cancelled."""
    due = time.monotonic()
    while True:
        await send(message())
        due += EVERY
        await asyncio.sleep(max(0, due - time.monotonic()))


class Lateness:
    def __init__(self):
        self.begin = time.monotonic() + WARM_UP
        self.ms = []

    def note(self, data):
        if time.monotonic() >= self.begin:
            self.ms.append((time.monotonic_ns() - struct.unpack("!q", data[:8])[0]) / 1e6)

    def result(self):
        ordered = sorted(self.ms)
        if not ordered:
            return {"count": 0}
        return {"count": len(ordered), "p50_ms": round(ordered[len(ordered) // 2], 3), "p99_ms": round(ordered[len(ordered) * 99 // 100], 3)}


def serve(options):
    server = engineio.AsyncServer(async_mode="aiohttp", transports=["polling"], max_decode_packets=1000)
    lateness, talking = {}, {}

    @server.on("connect")
    async def connect(sid, environ):
        lateness[sid] = Lateness()
        talking[sid] = asyncio.ensure_future(talk(lambda data: server.send(sid, data)))

    @server.on("message")
    async def came(sid, data):
        if isinstance(data, bytes):
            lateness[sid].note(data)
        else:
            talking[sid].cancel()
            await server.send(sid, json.dumps(lateness[sid].result()))

    @server.on("disconnect")
    def disconnect(sid):
        talking[sid].cancel()

    async def run():
        app = web.Application()
        server.attach(app)
        runner = web.AppRunner(app)
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        print("ready tcp %s:%d engineio" % site._server.sockets[0].getsockname()[:2], flush=True)
        await asyncio.Event().wait()
    asyncio.run(run())


async def attempt(options):
    lateness, theirs = Lateness(), asyncio.get_running_loop().create_future()
    context = ssl.create_default_context(cafile=options.cafile)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), trust_env=bool(options.proxy)) as session:
        client = engineio.AsyncClient(http_session=session)

        @client.on("message")
        async def came(data):
            if isinstance(data, bytes):
                lateness.note(data)
            else:
                theirs.set_result(data)  # JSON is read by engine.io itself

        await client.connect("https://" + options.server, transports=["polling"])
        talking = asyncio.ensure_future(talk(client.send))
        await asyncio.sleep(WARM_UP + options.seconds)
        talking.cancel()
        await client.send("how late?")
        up = await asyncio.wait_for(theirs, 20)
        down = lateness.result()
    result = {"up": up, "down": down}
    if up["count"] and down["count"]:
        result["p50_ms"] = max(up["p50_ms"], down["p50_ms"])
    print(json.dumps(result), flush=True)
    os._exit(0)  # a poll of its client may go on for a minute


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("verb", choices=("serve", "measure"))
    a.add_argument("--cert")
    a.add_argument("--key")
    a.add_argument("--server", help="HOST:PORT")
    a.add_argument("--cafile")
    a.add_argument("--proxy", help="http://HOST:PORT")
    a.add_argument("--seconds", type=float, default=10)
    options = a.parse_args()
    if options.verb == "serve":
        return serve(options)
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        os.environ.pop(name, None)
    if options.proxy:
        os.environ["https_proxy"] = options.proxy
    asyncio.run(attempt(options))


if __name__ == "__main__":
    main()
