#!/usr/bin/python3
"""oddsite: a website that does what websites do seldom.

    oddsite.py [--unix PATH] [--page FILE]     prints "ready tcp ADDR:PORT site"

    /echo       JSON: method, target, headers, and the length and SHA-256 of the body
    /events     an event at once, and one more for each GET /next; for ever
    /next       lets go of the next event; says how many read events now
    /until      an answer without length, ended by the end of the connection
    /half       half of an answer, then the end of the connection
    /never      no answer
    /early      413 before the body was read, and no more
    /heads?N    an answer with a header of N bytes
    /nonsense   no HTTP
    /ws         a WebSocket that echoes
    /page       the page of --page
    /report?L   prints L
"""
import argparse
import asyncio
import hashlib
import json
import urllib.parse

from websockets.frames import Opcode
from websockets.server import ServerConnection

let_go = asyncio.Event()
readers = 0
page = None


def head_of(raw):
    lines = raw.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers = [line.split(": ", 1) for line in lines[1:] if line]
    return method, target, [(name.lower(), value) for name, value in headers]


async def body_of(reader, headers):
    """Its length and SHA-256, without keeping it."""
    sha, total = hashlib.sha256(), 0

    async def take(n):
        nonlocal total
        while n > 0:
            piece = await reader.read(min(n, 65536))
            if not piece:
                raise EOFError
            sha.update(piece)
            n -= len(piece)
            total += len(piece)

    if headers.get("transfer-encoding") == "chunked":
        while n := int(await reader.readuntil(b"\r\n"), 16):
            await take(n)
            await reader.readexactly(2)
        await reader.readexactly(2)
    else:
        await take(int(headers.get("content-length", 0)))
    return total, sha.hexdigest()


def answer(writer, text, status="200 OK", more=""):
    body = text.encode()
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body)


async def send_events(writer):
    global readers
    readers += 1
    try:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(1000000):
            text = f"data: {i}\n\n".encode()
            writer.write(b"%x\r\n%s\r\n" % (len(text), text))
            await writer.drain()
            let_go.clear()
            while not let_go.is_set() and not writer.transport.is_closing():
                try:
                    await asyncio.wait_for(let_go.wait(), 0.1)
                except asyncio.TimeoutError:
                    pass
            if writer.transport.is_closing():
                return
    finally:
        readers -= 1


async def websocket(raw, reader, writer):
    connection = ServerConnection()
    connection.receive_data(raw)
    connection.send_response(connection.accept(connection.events_received()[0]))
    while True:
        for data in connection.data_to_send():
            if not data:  # it is over
                return
            writer.write(data)
        await writer.drain()
        data = await reader.read(65536)
        if not data:
            return
        connection.receive_data(data)
        for frame in connection.events_received():
            if frame.opcode == Opcode.TEXT:
                connection.send_text(frame.data, frame.fin)
            elif frame.opcode == Opcode.BINARY:
                connection.send_binary(frame.data, frame.fin)
            elif frame.opcode == Opcode.CONT:
                connection.send_continuation(frame.data, frame.fin)


async def one(raw, reader, writer):
    """One request. True: the connection can take another."""
    method, target, lines = head_of(raw)
    headers = dict(lines)
    path, _, query = target.partition("?")
    if path == "/echo":
        length, sha = await body_of(reader, headers)
        answer(writer, json.dumps({"method": method, "target": target, "headers": lines, "length": length, "sha256": sha}))
        return True
    if path == "/next":
        let_go.set()
        answer(writer, f"{readers}\n")
        return True
    if path == "/page":
        with open(page, encoding="utf-8") as file:
            answer(writer, file.read(), more="Content-Type: text/html; charset=utf-8\r\n")
        return True
    if path == "/report":
        print(urllib.parse.unquote(query), flush=True)
        answer(writer, "")
        return True
    if path == "/heads":
        answer(writer, "long\n", more="X-Long: " + "x" * int(query) + "\r\n")
        return True
    if path == "/events":
        await send_events(writer)
    elif path == "/until":
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nuntil the end\n")
    elif path == "/half":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf of it")
    elif path == "/slow":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        await asyncio.sleep(1)
        writer.write(b"half")
    elif path == "/never":
        await reader.read()
    elif path == "/early":
        answer(writer, "too much\n", "413 Too Much", "Connection: close\r\n")
        await writer.drain()
        writer.write_eof()
        await asyncio.wait_for(reader.read(100000), 2)
    elif path == "/nonsense":
        writer.write(b"220 mail.example.org ESMTP\r\n")
    elif path == "/ws":
        await websocket(raw, reader, writer)
    else:
        answer(writer, "nothing here\n", "404 Not Found")
        return True
    return False


async def connection(reader, writer):
    try:
        while await one(await reader.readuntil(b"\r\n\r\n"), reader, writer):
            await writer.drain()
    except (EOFError, ConnectionError, asyncio.TimeoutError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--unix")
    parser.add_argument("--page")
    options = parser.parse_args()
    global page
    page = options.page
    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    if options.unix:
        await asyncio.start_unix_server(connection, options.unix)
    print("ready tcp %s:%d site" % server.sockets[0].getsockname(), flush=True)
    await server.serve_forever()


asyncio.run(main())
