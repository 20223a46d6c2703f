#!/usr/bin/python3
"""restpark: many clients of REST at a time, each with its own session and connection.

    park PORT CERT BEARER COUNT PID SERVICE   parks a poll for each; then prints JSON: kib_each (growth of the resident memory of PID
                                              for each), cpu_percent (of PID, over 5 s in which nothing happens), woken (of COUNT
                                              messages to their targets, how many came back by the parked polls)
    park ... SERVICE stream                   the same with answers that go on, as events
"""
import asyncio
import base64
import json
import os
import ssl
import sys

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


def resident(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * PAGE_KIB


def cpu(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Client:
    def __init__(self, number, bearer, service, stream=False):
        self.stream = stream
        sid = base64.urlsafe_b64encode(number.to_bytes(16, "big")).decode().rstrip("=")
        self.path = "/culvert/v1/%s/signal/%s" % (sid, service)
        self.bearer = bearer

    async def connect(self, port, context):
        self.reader, self.writer = await asyncio.open_connection("localhost", port, ssl=context)

    def write(self, method, query="", body=None, accept="*/*"):
        head = "%s %s%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nAccept: %s\r\n" % (
            method, self.path, query, self.bearer, accept)
        if body is not None:
            head += "Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        self.writer.write((head + "\r\n" + (body or "")).encode())

    async def answer(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        length = [int(line.split(":")[1]) for line in head if line.lower().startswith("content-length:")]
        body = await self.reader.readexactly(length[0]) if length else b""
        return int(head[0].split()[1]), body

    async def open(self, port, context, limit):
        async with limit:
            await self.connect(port, context)
            self.write("PUT")
            status, body = await self.answer()
            assert status == 201, (status, body)
            if self.stream:
                self.write("GET", "?after=0", accept="text/event-stream")
                head = await self.reader.readuntil(b"\r\n\r\n")
                assert b" 200 " in head, head
                await self.reader.readuntil(b'"n":2')
            else:
                self.write("GET", "?after=0&wait=20")

    async def is_woken(self):
        if self.stream:
            await self.reader.readuntil(b"id: 1\nevent: text\ndata: wake\n\n")
            return True
        status, body = await self.answer()
        return status == 200 and json.loads(body)["messages"] == ["wake"]


async def park(port, cert, bearer, count, pid, service, stream=False):
    context = ssl.create_default_context(cafile=cert)
    context.set_alpn_protocols(["http/1.1"])
    limit = asyncio.Semaphore(50)
    clients = [Client(i + 1, bearer, service, stream) for i in range(count)]
    before = resident(pid)
    await asyncio.gather(*(c.open(port, context, limit) for c in clients))
    await asyncio.sleep(1)
    after, began = resident(pid), cpu(pid)
    await asyncio.sleep(5)
    used = cpu(pid) - began
    last = Client(1, bearer, service)	# another connection of each would be as many again: one does for some
    await last.connect(port, context)
    woken = 0
    for c in clients[-50:]:	# the polls of the first may be over by now
        last.path = c.path
        last.write("POST", "", '{"seq":1,"messages":["wake"]}')
        status, body = await last.answer()
        assert status == 200, (status, body)
        woken += await asyncio.wait_for(c.is_woken(), 10)
    print(json.dumps({"kib_each": (after - before) / count, "cpu_percent": used / 5 * 100, "woken": woken}), flush=True)
    os._exit(0)


if len(sys.argv) in (8, 9) and sys.argv[1] == "park":
    asyncio.run(park(int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6]), sys.argv[7], sys.argv[8:] == ["stream"]))
else:
    sys.exit(__doc__)
