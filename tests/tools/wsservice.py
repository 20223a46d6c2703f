#!/usr/bin/python3
"""wsservice: both ends of a WebSocket service, by python3-websockets.

    serve [PORT [CERT KEY]]  a target: prints "ready tcp ADDR:PORT wsservice", then "closed CODE REASON" for each connection. Says
                             again what comes; "close CODE REASON": closes so; "die": cuts the connection; "request": says what it
                             was asked for, as JSON; "flood N": sends N messages of 1000 octets
    tcp [PORT]               a target: prints "ready tcp ADDR:PORT tcp"; says again what comes, octet by octet; ends at "quit"
    ask ADDR:PORT CASE...    a client: a line "ok CASE" or "FAIL CASE: why" for each; the exit status is 0 when all are ok
    keep ADDR:PORT SECONDS   a client: messages with numbers, as many as are answered; "sent N" when all came back, in order
"""
import asyncio
import json
import os
import ssl
import sys

import websockets

SUBPROTOCOLS = ["chat.v2", "janus-protocol"]


async def serve_one(socket, path):
    try:
        async for message in socket:
            if isinstance(message, str) and message.startswith("close "):
                _, code, reason = message.split(" ", 2)
                await socket.close(int(code), reason)
            elif message == "die":
                socket.transport.abort()
            elif message == "request":
                await socket.send(json.dumps({"path": path, "headers": dict(socket.request_headers), "subprotocol": socket.subprotocol}))
            elif isinstance(message, str) and message.startswith("flood "):
                for i in range(int(message.split()[1])):
                    await socket.send(i.to_bytes(4, "big") * 250)
            else:
                await socket.send(message)
    except websockets.ConnectionClosed:
        pass
    await socket.wait_closed()
    print("closed", socket.close_code, socket.close_reason, flush=True)


async def serve(port, *tls):
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    async with websockets.serve(serve_one, "127.0.0.1", int(port), subprotocols=SUBPROTOCOLS, max_size=None, ssl=context) as server:
        print("ready tcp 127.0.0.1:%d wsservice" % server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


async def tcp_one(reader, writer):
    while True:
        data = await reader.read(65536)
        if not data or b"quit" in data:
            break
        writer.write(data)
        await writer.drain()
    writer.close()
    print("ended", flush=True)


async def tcp(port):
    async with await asyncio.start_server(tcp_one, "127.0.0.1", int(port)) as server:
        print("ready tcp 127.0.0.1:%d tcp" % server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


def connect(where, **more):
    return websockets.connect("ws://%s/any/path" % where, max_size=None, open_timeout=15, close_timeout=10, **more)


async def take(socket):
    return await asyncio.wait_for(socket.recv(), 20)


async def same(socket, message):
    await socket.send(message)
    back = await take(socket)
    want = message if not isinstance(message, list) else type(message[0])().join(message)
    assert back == want, "another message came back"


async def messages(where):
    async with connect(where) as s:
        for n in (0, 1, 125, 126, 127, 65535, 65536):
            await same(s, os.urandom(n))
            await same(s, ("Gr\u00fc\u00dfe \U0001f600 " * (n // 9 + 1))[:n])


async def large(where):
    """One of 1 MiB each way, the default limit."""
    async with connect(where) as s:
        await same(s, os.urandom(1 << 20))


async def too_large(where):
    async with connect(where) as s:
        await s.send(os.urandom((1 << 20) + 1))
        try:
            await take(s)
            raise AssertionError("it went through")
        except websockets.ConnectionClosed:
            assert s.close_code == 1009, s.close_code


async def fragments(where):
    async with connect(where) as s:
        await same(s, [os.urandom(n) for n in (1, 0, 5000, 126, 70000)])
        await same(s, ["\U0001f600", "", "end"])


async def many(where):
    async with connect(where) as s:
        await s.send("flood 20000")
        await asyncio.sleep(1)      # what is not taken stops the target
        for i in range(20000):
            assert await take(s) == i.to_bytes(4, "big") * 250, i


async def subprotocol(where):
    async with connect(where, subprotocols=["unknown", "janus-protocol"]) as s:
        assert s.subprotocol == "janus-protocol", s.subprotocol
    async with connect(where) as s:
        assert s.subprotocol is None, s.subprotocol
        await s.send("request")
        said = json.loads(await take(s))
        assert said["subprotocol"] == "chat.v2", said     # what the operator configured, where nobody asks
        assert said["path"] == "/janus?x=1", said
        assert said["headers"]["origin"] == "https://app.example", said
        assert said["headers"]["x-name"] == "value", said


async def close_there(where):
    async with connect(where) as s:
        await s.send("close 4001 auf Wiedersehen \U0001f600")
        try:
            await take(s)
        except websockets.ConnectionClosed:
            pass
        assert (s.close_code, s.close_reason) == (4001, "auf Wiedersehen \U0001f600"), (s.close_code, s.close_reason)


async def close_here(where):
    s = await connect(where)
    await same(s, "last words")
    await s.close(3999, "enough")
    assert s.close_code == 3999, s.close_code


async def close_without_code(where):
    s = await connect(where)
    await s.write_frame(True, 8, b"")
    await s.wait_closed()
    assert s.close_code in (1005, 1000), s.close_code


async def die_there(where):
    async with connect(where) as s:
        await s.send("die")
        try:
            await take(s)
        except websockets.ConnectionClosed:
            pass
        assert s.close_code == 1006, s.close_code


async def die_here(where):
    s = await connect(where)
    await same(s, "there")
    s.transport.abort()


async def ping(where):
    async with connect(where) as s:
        await asyncio.wait_for(await s.ping(b"are you there"), 5)


async def refused(where, status, **more):
    try:
        async with connect(where, **more):
            raise AssertionError("it was accepted")
    except websockets.InvalidStatusCode as e:
        assert e.status_code == status, e.status_code


async def unreachable(where):
    await refused(where, 502)


async def elsewhere(where):
    await refused(where, 403, origin="https://evil.example")
    await refused(where, 403, origin="null")
    async with connect(where, origin="http://localhost:3000") as s:
        await same(s, "a page of this machine")
    async with connect(where, origin="https://ours.example") as s:
        await same(s, "one that is listed")


async def rebinding(where):
    """A name that leads to this machine is refused, whatever it is."""
    reader, writer = await asyncio.open_connection(*where.rsplit(":", 1))
    writer.write(b"GET / HTTP/1.1\r\nHost: rebound.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    line = await asyncio.wait_for(reader.readline(), 5)
    assert line.startswith(b"HTTP/1.1 403 "), line
    writer.close()


async def lines(where):
    async with connect(where) as s:
        for text in ("one", "", "Gr\u00fc\u00dfe", "x" * 100000):
            await same(s, text)
        await s.send("a")
        await s.send("b")
        assert [await take(s), await take(s)] == ["a", "b"]
        await s.send("quit")
        try:
            await take(s)
        except websockets.ConnectionClosed:
            pass
        assert s.close_code == 1000, s.close_code
    async with connect(where) as s:
        await s.send("two\nlines")
        try:
            await take(s)
        except websockets.ConnectionClosed:
            pass
        assert s.close_code == 1003, s.close_code


async def records(where):
    async with connect(where) as s:
        for n in (0, 1, 300, 100000):
            await same(s, os.urandom(n))
        await s.send([b"a", b"", b"bc"])
        assert await take(s) == b"abc"


async def janus(where):
    async with connect(where, subprotocols=["janus-protocol"]) as s:
        assert s.subprotocol == "janus-protocol", s.subprotocol
        await s.send(json.dumps({"janus": "create", "transaction": "t1"}))
        created = json.loads(await take(s))
        assert created["janus"] == "success" and created["transaction"] == "t1", created
        session = created["data"]["id"]
        await s.send(json.dumps({"janus": "attach", "plugin": "janus.plugin.echotest", "session_id": session, "transaction": "t2"}))
        attached = json.loads(await take(s))
        assert attached["janus"] == "success", attached
        await s.send(json.dumps({"janus": "destroy", "session_id": session, "transaction": "t3"}))
        assert json.loads(await take(s))["janus"] == "success"


async def ask(where, *cases):
    wrong = 0
    for case in cases:
        try:
            await asyncio.wait_for(globals()[case](where), 60)
            print("ok", case, flush=True)
        except Exception as e:      # whatever it is, the case has failed
            print("FAIL %s: %s %s" % (case, type(e).__name__, e), flush=True)
            wrong += 1
    sys.exit(wrong > 0)


async def keep(where, seconds):
    """Some on the way at a time: each comes back once, and in order."""
    until = asyncio.get_running_loop().time() + float(seconds)
    async with connect(where, ping_interval=None) as s:
        print("ready", flush=True)
        sent = got = 0
        while got < sent or asyncio.get_running_loop().time() < until:
            while sent - got < 20 and asyncio.get_running_loop().time() < until:
                await s.send("%d %s" % (sent, "x" * (sent * 37 % 5000)))
                sent += 1
            back = await take(s)
            assert back == "%d %s" % (got, "x" * (got * 37 % 5000)), (got, back[:20])
            got += 1
    print("sent", sent, flush=True)


def main():
    verb, args = sys.argv[1], sys.argv[2:]
    if verb in ("serve", "tcp"):
        args = args or ["0"]
    try:
        asyncio.run(globals()[verb](*args))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
