"""A program's DevTools: JSON messages over two pipes (--remote-debugging-pipe), with sessions for each target.

    link = Link(fd_to_it, fd_from_it); await link.begin()
    await link.call("Target.createTarget", {"url": ...}, session=None)      the result, or Failed
    link.listen(session, "Page.loadEventFired", callback)                   session None: the browser's; method None: all
"""
import asyncio
import json
import os


class Failed(Exception):
    """What the browser refused, or what a page threw."""


class Link:
    def __init__(self, to, come):
        self.to, self.come = to, come
        self.number = 0
        self.waiting = {}
        self.listeners = {}
        self.rest = b""
        self.over = False

    async def begin(self):
        os.set_blocking(self.come, False)
        asyncio.get_running_loop().add_reader(self.come, self._read)

    def end(self):
        if self.over:
            return
        self.over = True
        asyncio.get_running_loop().remove_reader(self.come)
        os.close(self.come)
        os.close(self.to)
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_exception(Failed("the browser has ended"))
        self.waiting.clear()

    def listen(self, session, method, callback):
        self.listeners.setdefault((session, method), []).append(callback)

    def forget(self, session):
        """A session that has ended: nobody listens, and who waits is told."""
        for key in [k for k in self.listeners if k[0] == session]:
            del self.listeners[key]
        for number in [n for n, a in self.waiting.items() if getattr(a, "session", None) == session]:
            answer = self.waiting.pop(number)
            if not answer.done():
                answer.set_exception(Failed("the page has ended"))

    async def call(self, method, params=None, session=None, timeout=60):
        if self.over:
            raise Failed("the browser has ended")
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        answer = asyncio.get_running_loop().create_future()
        answer.session = session
        self.waiting[number] = answer
        data = json.dumps(message).encode() + b"\0"
        # A pipe takes little at a time; the browser always reads.
        while data:
            data = data[os.write(self.to, data[:65536]):]
        try:
            return await asyncio.wait_for(answer, timeout)
        except asyncio.TimeoutError:
            raise Failed("%s: no answer in %d s" % (method, timeout)) from None
        finally:
            self.waiting.pop(number, None)

    def _read(self):
        try:
            data = os.read(self.come, 1 << 20)
        except BlockingIOError:
            return
        if not data:
            self.end()
            return
        *whole, self.rest = (self.rest + data).split(b"\0")
        for text in whole:
            self._take(json.loads(text))

    def _take(self, message):
        if "id" in message:
            answer = self.waiting.get(message["id"])
            if answer and not answer.done():
                if "error" in message:
                    answer.set_exception(Failed(message["error"].get("message", "refused")))
                else:
                    answer.set_result(message.get("result", {}))
            return
        session, method = message.get("sessionId"), message["method"]
        for key in ((session, method), (session, None)):
            for callback in list(self.listeners.get(key, ())):
                callback(message.get("params", {}))
