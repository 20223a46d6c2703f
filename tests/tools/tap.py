#!/usr/bin/python3
"""tap: passes TCP connections on, keeps what it saw and may alter it.

    tap.py --to ADDR:PORT [--keep FILE] [--flip BYTES] [--after BYTES] [--listen PORT]

Prints "ready tcp ADDR:PORT tap". Everything that passes, both ways, goes to FILE. With --flip one bit in about so many bytes is
turned over, in each direction, once --after bytes of the connection have passed. At its end it prints JSON: connections, bytes,
flips.
"""
import argparse
import asyncio
import json
import random
import signal

counts = {"connections": 0, "bytes": 0, "flips": 0}


class Tap:
    def __init__(self, options):
        self.o = options
        self.keep = open(options.keep, "wb", buffering=0) if options.keep else None
        self.random = random.Random(1)

    def altered(self, data, passed):
        if not self.o.flip or passed < self.o.after:
            return data
        data = bytearray(data)
        for _ in range(len(data) // self.o.flip + (self.random.random() < (len(data) % self.o.flip) / self.o.flip)):
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
            counts["flips"] += 1
        return bytes(data)

    async def pass_on(self, reader, writer):
        passed = 0
        try:
            while data := await reader.read(65536):
                if self.keep:
                    self.keep.write(data)
                writer.write(self.altered(data, passed))
                passed += len(data)
                counts["bytes"] += len(data)
                await writer.drain()
            writer.write_eof()
        except OSError:
            writer.close()

    async def connection(self, reader, writer):
        counts["connections"] += 1
        host, port = self.o.to.rsplit(":", 1)
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        await asyncio.gather(self.pass_on(reader, far_writer), self.pass_on(far_reader, writer), return_exceptions=True)
        for w in (writer, far_writer):
            w.close()

    async def run(self):
        server = await asyncio.start_server(self.connection, "127.0.0.1", self.o.listen)
        done = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, done.set)
        print("ready tcp %s:%d tap" % server.sockets[0].getsockname()[:2], flush=True)
        await done.wait()
        print(json.dumps(counts), flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--to", required=True)
    p.add_argument("--keep")
    p.add_argument("--flip", type=int, default=0)
    p.add_argument("--after", type=int, default=0)
    p.add_argument("--listen", type=int, default=0)
    asyncio.run(Tap(p.parse_args()).run())


if __name__ == "__main__":
    main()
