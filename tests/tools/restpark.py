#!/usr/bin/python3
"""restpark: many clients of REST at a time, each with its own session and connection.

    park PORT CERT BEARER COUNT PID SERVICE   parks a poll for each; then prints JSON: kib_each (growth of the resident memory of PID
                                              for each), cpu_percent (of PID, over 5 s in which nothing happens), woken (of COUNT
                                              messages to their targets, how many came back by the parked polls)
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
    def __init__(self, number, bearer, service):
        sid = base64.urlsafe_b64encode(number.to_bytes(16, "big")).decode().rstrip("=")
        self.path = "/culvert/v1/%s/signal/%s" % (sid, service)
        self.bearer = bearer

    async def connect(self, port, context):
        self.reader, self.writer = await asyncio.open_connection("localhost", port, ssl=context)

    def write(self, method, query="", body=None):
        head = "%s %s%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n" % (method, self.path, query, self.bearer)
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
            self.write("GET", "?after=0&wait=20")


async def park(port, cert, bearer, count, pid, service):
    context = ssl.create_default_context(cafile=cert)
    context.set_alpn_protocols(["http/1.1"])
    limit = asyncio.Semaphore(50)
    clients = [Client(i + 1, bearer, service) for i in range(count)]
    before = resident(pid)
    await asyncio.gather(*(c.open(port, context, limit) for c in clients))
    await asyncio.sleep(1)
    after, began = resident(pid), cpu(pid)
    await asyncio.sleep(5)
    used = cpu(pid) - began
    last = Client(1, bearer, service)	# another connection of each would be as many again: one does for some
    await last.connect(port, context)
    woken = 0
    for c in clients[:50]:
        last.path = c.path
        last.write("POST", "", '{"seq":1,"messages":["wake"]}')
        status, body = await last.answer()
        assert status == 200, (status, body)
        status, body = await asyncio.wait_for(c.answer(), 10)
        woken += status == 200 and json.loads(body)["messages"] == ["wake"]
    print(json.dumps({"kib_each": (after - before) / count, "cpu_percent": used / 5 * 100, "woken": woken}), flush=True)
    os._exit(0)


if len(sys.argv) == 8 and sys.argv[1] == "park":
    asyncio.run(park(int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6]), sys.argv[7]))
else:
    sys.exit(__doc__)
