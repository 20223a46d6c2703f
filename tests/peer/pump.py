"""Local sockets: TCP connections behind stream channels, half by half (PROTOCOL.md, section 6.2), and UDP sockets."""

from __future__ import annotations

import asyncio
import socket
import struct

import wire
from session import Session
from streams import StreamChannel


class Pump:
    def __init__(self, session: Session, channel: StreamChannel, reader: asyncio.StreamReader,
                 writer: asyncio.StreamWriter):
        self.session = session
        self.channel = channel
        self.reader = reader
        self.writer = writer

    async def run(self) -> None:
        upward = asyncio.create_task(self._from_local())
        try:
            await self._to_local()
            while not upward.done() and self.channel.send.state.name == "OPEN":
                await self.channel.changed.wait()
            self.writer.close()
        finally:
            upward.cancel()

    async def _from_local(self) -> None:
        send = self.channel.send
        try:
            while send.state.name == "OPEN":
                if not send.has_room:
                    await self.channel.changed.wait()
                    continue
                data = await self.reader.read(65_536)
                if not data:
                    send.end()
                    break
                send.write(data)
                self.session.kick()
        except OSError:
            self.session.break_stream(self.channel, wire.LOCAL_RESET)
        self.session.kick()
        asyncio.get_running_loop().call_soon(self.channel.changed.set)

    async def _to_local(self) -> None:
        receive = self.channel.receive
        try:
            while True:
                if receive.discards or receive.was_reset or self.channel.lost_code is not None:
                    reset_connection(self.writer)
                    return
                data = receive.take()
                if data:
                    self.writer.write(data)
                    await self.writer.drain()
                    self.session.delivered(self.channel, len(data))
                elif receive.at_end:
                    self.writer.write_eof()
                    self.session.delivered_end(self.channel)
                    return
                else:
                    await self.channel.changed.wait()
        except OSError:
            self.session.break_stream(self.channel, wire.LOCAL_RESET)


def reset_connection(writer: asyncio.StreamWriter) -> None:
    """Close with a TCP reset, so that the local peer does not take it for an end in order."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
    writer.transport.abort()


class UdpSocket:
    """A UDP socket of the event loop.  Errors, ICMP's too, never end it; empty datagrams are datagrams."""

    def __init__(self, on_datagram, local: tuple[str, int] | None = None, remote: tuple[str, int] | None = None):
        self.on_datagram = on_datagram   # called with (payload, address)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        if local is not None:
            self.sock.bind(local)
        if remote is not None:
            self.sock.connect(remote)
        asyncio.get_running_loop().add_reader(self.sock.fileno(), self._on_readable)

    @property
    def port(self) -> int:
        return self.sock.getsockname()[1]

    def _on_readable(self) -> None:
        for _ in range(64):
            try:
                payload, address = self.sock.recvfrom(65_535)
            except BlockingIOError:
                return
            except OSError:
                continue
            self.on_datagram(payload, address)

    def send(self, payload: bytes, address: tuple[str, int] | None = None) -> None:
        try:
            if address is None:
                self.sock.send(payload)
            else:
                self.sock.sendto(payload, address)
        except OSError:
            pass   # a datagram is lost

    def close(self) -> None:
        if self.sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.sock.fileno())
            self.sock.close()
