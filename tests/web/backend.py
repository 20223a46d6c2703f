#!/usr/bin/python3
"""The WebSocket server of the cases, by python3-websockets: backend.py [--cert FILE --key FILE] [--port N]. Prints "ready tcp ADDR:PORT backend" (or tls).

What a connection does is said by its path:
    /echo       says again what comes; the first subprotocol asked for is taken
    /plain      the same, but takes no subprotocol
    /do         obeys: "close [CODE [REASON]]", "die" (the TCP connection is reset), "bad" (text that is not UTF-8), "say N TEXT" (N messages in one go,
                TEXT with # for the number), "binary N", "later MS TEXT", "flood N" (N messages and then a close), "parting TEXT" (a message and a close 4002)
    /first      two messages at once, then echo
    /shut       closes with 4001 as soon as it is open
    /refuse     the handshake is answered with 403
    /slow       the handshake is answered after 0.5 s
    /hang       the handshake is never answered
    /record     the first message is a name; what else comes is kept under it, with the close at the end
    /told       a name gets what was recorded under it, once its connection has ended, as JSON
"""
import argparse
import asyncio
import base64
import contextlib
import json
import ssl

import websockets
from websockets.frames import Close, Frame

records = {}
ended = {}


class Connection(websockets.WebSocketServerProtocol):
    async def process_request(self, path, headers):
        name = path.split("?")[0]
        if name == "/refuse":
            return 403, [], b"no\n"
        if name == "/slow":
            await asyncio.sleep(0.5)
        if name == "/hang":
            await asyncio.sleep(3600)
        return None

    def select_subprotocol(self, client, server):
        return None if self.path.startswith("/plain") else client[0]

    def process_subprotocol(self, headers, available):
        return super().process_subprotocol(headers, ["any"])


async def echo(s):
    async for message in s:
        await s.send(message)


async def first(s):
    await s.send("first")
    await s.send(b"second")
    await echo(s)


async def shut(s):
    await s.close(4001, "at once")


async def in_one_go(s, messages):
    """One write to the socket."""
    frames = [Frame(1 if isinstance(m, str) else 2, m.encode() if isinstance(m, str) else m) for m in messages]
    s.transport.write(b"".join(f.serialize(mask=False) for f in frames))


async def do(s):
    async for message in s:
        verb, _, rest = message.partition(" ")
        if verb == "close":
            code, _, reason = rest.partition(" ")
            if code:
                await s.close(int(code), reason)
            else:
                await s.write_close_frame(Close(1005, ""), b"")
        elif verb == "die":
            s.transport.abort()
        elif verb == "bad":
            await s.write_frame(True, 1, b"\xff\xfe")
        elif verb == "say":
            n, _, text = rest.partition(" ")
            await in_one_go(s, [text.replace("#", str(i)) for i in range(1, int(n) + 1)])
        elif verb == "binary":
            await in_one_go(s, [bytes([i] * i) for i in range(1, int(rest) + 1)])
        elif verb == "mixed":
            await in_one_go(s, [b"%d" % i if i % 2 else str(i) for i in range(int(rest))])
        elif verb == "later":
            ms, _, text = rest.partition(" ")
            await asyncio.sleep(int(ms) / 1000)
            await s.send(text)
        elif verb == "flood":
            await in_one_go(s, [str(i) for i in range(int(rest))])
            await s.close(1000, "all")
        elif verb == "parting":
            await s.send(rest)
            await s.close(4002, "parted")


async def record(s):
    name = await s.recv()
    kept = records.setdefault(name, [])
    over = ended.setdefault(name, asyncio.Event())
    try:
        while True:
            message = await s.recv()
            kept.append(message if isinstance(message, str) else {"binary": base64.b64encode(message).decode()})
            # It may be closing already; what has come is read nevertheless.
            with contextlib.suppress(websockets.ConnectionClosed):
                await s.send(message)
    except websockets.ConnectionClosed:
        pass
    got = s.close_rcvd
    records[name].append({"close": [got.code, got.reason] if got else [1006, ""]})
    over.set()


async def told(s):
    async for name in s:
        over = ended.setdefault(name, asyncio.Event())
        try:
            await asyncio.wait_for(over.wait(), 10)
        except asyncio.TimeoutError:
            pass
        await s.send(json.dumps(records.get(name)))


PATHS = {"/do": do, "/first": first, "/shut": shut, "/record": record, "/told": told}


async def serve(s):
    try:
        await PATHS.get(s.path.split("?")[0], echo)(s)
    except websockets.ConnectionClosed:
        pass


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--port", type=int, default=0)
    asked = parser.parse_args()
    tls = None
    if asked.cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(asked.cert, asked.key)
    server = await websockets.serve(serve, "127.0.0.1", asked.port, create_protocol=Connection, subprotocols=["any"], ssl=tls, compression=None,
                                    max_size=None, max_queue=None, ping_interval=None, close_timeout=5)
    print("ready %s 127.0.0.1:%d backend" % ("tls" if tls else "tcp", server.sockets[0].getsockname()[1]), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
