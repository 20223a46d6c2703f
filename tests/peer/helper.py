"""The peer as helper: local sockets and the sessions behind them (PROTOCOL.md, sections 3 and 5)."""

from __future__ import annotations

import asyncio
import ssl
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit

import auth
import wire
from helper_session import HelperSession
from pump import Pump, UdpSocket, reset_connection
from records import Exchange
from session import Settings
from streams import DatagramChannel


@dataclass
class Options:
    """The command line of the helper."""
    server: str
    cafile: str
    token_file: str
    rung: str
    settings: Settings
    hold: int = 20_000
    held: int = 2          # k
    carriers: int = 1
    prove: bool = False    # two MARKs on every carrier (4.5)


class Flow:
    """One local UDP 5-tuple; it outlives sessions."""

    def __init__(self, listener: UdpListener, address: tuple):
        self.listener = listener
        self.address = address
        self.session: HelperSession | None = None
        self.channel: DatagramChannel | None = None

    def deliver(self, payload: bytes) -> None:
        self.listener.socket.send(payload, self.address)

    def send(self, payload: bytes, session: HelperSession | None) -> None:
        if self.channel is None and session is not None:
            self.reopen(session)
        if self.channel is not None:
            self.session.send_datagram(self.channel, payload)

    def reopen(self, session: HelperSession) -> None:
        self.session = session
        self.channel = session.open_datagram(self.listener.service, self.listener.index, self)


class UdpListener:
    def __init__(self, helper: Helper, port: int, service: str, index: int):
        self.helper = helper
        self.service = service
        self.index = index
        self.flows: dict[tuple, Flow] = {}
        self.socket = UdpSocket(self.on_datagram, local=("127.0.0.1", port))

    def on_datagram(self, payload: bytes, address: tuple) -> None:
        flow = self.flows.get(address)
        if flow is None:
            flow = self.flows[address] = Flow(self, address)
        flow.send(payload, self.helper.ready_session)


class Helper:
    """Listeners and the session behind them; a lost session is replaced by a new one (section 5)."""

    def __init__(self, options: Options, udp: list[tuple[int, str, int]], tcp: list[tuple[int, str]]):
        self.options = options
        url = urlsplit(options.server)
        if url.scheme != "https" or not url.hostname:
            raise ValueError("--server must be an https URL")
        self.host, self.port = url.hostname, url.port or 443
        self.authority, self.base = url.netloc, url.path.rstrip("/")
        self.name, tokens = next(iter(auth.read_token_file(options.token_file).items()))
        self.token = tokens[0]
        self.tls = ssl.create_default_context(cafile=options.cafile)
        self.udp, self.tcp = udp, tcp
        self.clock_offset = 0.0
        self.answers = 0
        self.ready_session: HelperSession | None = None
        self.welcomed = asyncio.Event()
        self.listeners: list[UdpListener] = []
        self.lines: list[str] = []
        self.sessions: dict[HelperSession, asyncio.Task] = {}
        self.background: set[asyncio.Task] = set()
        self.stopping = asyncio.Event()

    def loses(self, exchange: Exchange) -> bool:
        """--lose-every N: every Nth exchange; asked as often as one likes for the same exchange."""
        if not hasattr(exchange, "lost_on_purpose"):
            self.answers += 1
            every = self.options.settings.lose_every
            exchange.lost_on_purpose = bool(every) and self.answers % every == 0
        return exchange.lost_on_purpose

    async def run(self) -> None:
        await self._listen()
        self.start_session()
        await self.stopping.wait()
        await asyncio.gather(*(session.stop() for session in list(self.sessions)))
        for task in list(self.background):
            task.cancel()
        await asyncio.gather(*self.background, return_exceptions=True)

    async def _listen(self) -> None:
        for port, service, index in self.udp:
            listener = UdpListener(self, port, service, index)
            self.listeners.append(listener)
            self.lines.append(f"ready udp 127.0.0.1:{listener.socket.port} {service}")
        for port, service in self.tcp:
            server = await asyncio.start_server(
                lambda reader, writer, service=service: self._accept(service, reader, writer), "127.0.0.1", port)
            self.lines.append(f"ready tcp 127.0.0.1:{server.sockets[0].getsockname()[1]} {service}")

    async def _accept(self, service: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.wait_for(self.welcomed.wait(), 10.0)
        except asyncio.TimeoutError:
            reset_connection(writer)
            return
        session = self.ready_session
        await Pump(session, session.open_stream(service), reader, writer).run()

    def spawn(self, work) -> asyncio.Task:
        task = asyncio.get_running_loop().create_task(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return task

    def start_session(self) -> None:
        session = HelperSession(self)
        self.sessions[session] = self.spawn(session.run())

    def on_welcome(self, session: HelperSession) -> None:
        self.ready_session = session
        self.welcomed.set()
        for other in list(self.sessions):
            other.leave_if_unused()
        for line in self.lines:
            print(line, flush=True)
        self.lines.clear()
        for listener in self.listeners:
            for flow in listener.flows.values():
                if flow.channel is None and flow.session is not None:
                    flow.reopen(session)

    def on_session_over(self, session: HelperSession, farewell: wire.Farewell) -> None:
        """GONE or BYE: a new session with a new sid."""
        lost = [flow for listener in self.listeners for flow in listener.flows.values()
                if flow.channel is not None and flow.session is session]
        session.lose_channels()
        session.kick()
        self.sessions.pop(session, None)
        if session.going_away or self.stopping.is_set():
            for flow in lost:
                if self.ready_session not in (None, session):
                    flow.reopen(self.ready_session)
            return
        self.ready_session = None
        self.welcomed.clear()
        if farewell.code == wire.VERSION:
            print("peer: no version in common", file=sys.stderr, flush=True)
            self.stopping.set()
            return
        asyncio.get_running_loop().call_later(max(0.2, min(farewell.delay / 1000, 60)), self.start_session)

    def on_goaway(self, session: HelperSession, delay: float) -> None:
        """New channels go to a new session; the old one goes on for the old ones."""
        asyncio.get_running_loop().call_later(min(delay, 60), self.start_session)
