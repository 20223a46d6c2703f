#!/usr/bin/python3
"""wsothers_h2: the other end of wsecho by python3-h2: WebSockets by extended CONNECT (RFC 8441), by prior knowledge.

    ask ADDR:PORT            talks to "wsecho serve": a line "ok NAME" or "FAIL NAME: why" for each case
    serve                    prints "ready tcp ADDR:PORT wsothers-h2"; says again what comes
The frames of WebSocket are python3-websockets'. Exit status of ask: 0 when all are ok.
"""
import os
import socket
import sys
import threading

import h2.config
import h2.connection
import h2.events
import h2.settings
from websockets.connection import CLIENT, OPEN, SERVER, Connection
from websockets.frames import Opcode

CONNECT_PROTOCOL = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL


class Wire:
    """One connection of HTTP/2 and the WebSockets on it, by stream."""

    def __init__(self, sock, server):
        self.sock = sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=not server, header_encoding="utf-8"))
        self.sockets, self.waiting, self.answers, self.ended = {}, {}, {}, set()
        self.server = server
        if server:
            self.h2.local_settings = h2.settings.Settings(client=False, initial_values={CONNECT_PROTOCOL: 1})
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        for stream in list(self.waiting):
            self.push(stream)
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def push(self, stream):
        """As much of what waits as the peer's windows allow."""
        for data in self.sockets[stream].data_to_send():
            if data:
                self.waiting[stream] += data
            elif stream not in self.ended:
                self.ended.add(stream)
        waiting = self.waiting[stream]
        while waiting and (room := min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)) > 0:
            self.h2.send_data(stream, bytes(waiting[:room]))
            del waiting[:room]

    def open(self, stream, side):
        self.sockets[stream] = Connection(side, OPEN, max_size=None)
        self.waiting[stream] = bytearray()

    def step(self):
        """Reads once; false at the end."""
        data = self.sock.recv(65_536)
        if not data:
            return False
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                self.on_request(event.stream_id, dict(event.headers))
            elif isinstance(event, h2.events.ResponseReceived):
                self.answers[event.stream_id] = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.sockets[event.stream_id].receive_data(event.data)
                self.on_data(event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
                if self.server:
                    self.flush()
                    self.h2.end_stream(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                raise ConnectionError("stream %d was reset: %s" % (event.stream_id, event.error_code))
        self.flush()
        return True

    def on_request(self, stream, headers):
        right = (headers[":method"], headers.get(":protocol"), headers.get("sec-websocket-version")) == ("CONNECT", "websocket", "13")
        if not right or "sec-websocket-key" in headers or "upgrade" in headers or "connection" in headers:
            self.h2.send_headers(stream, [(":status", "400")], end_stream=True)
            return
        self.h2.send_headers(stream, [(":status", "200")])
        self.open(stream, SERVER)

    def on_data(self, stream):
        ws = self.sockets[stream]
        for frame in ws.events_received():
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                ws.send_frame(frame)


class Ask(Wire):
    def __init__(self, where):
        host, port = where.rsplit(":", 1)
        super().__init__(socket.create_connection((host, int(port)), timeout=10), False)
        self.messages, self.frames = {}, {}
        while CONNECT_PROTOCOL not in self.h2.remote_settings or not self.h2.remote_settings[CONNECT_PROTOCOL]:
            assert self.step(), "no SETTINGS_ENABLE_CONNECT_PROTOCOL"
        self.where = where

    def connect(self, path, **more):
        stream = self.h2.get_next_available_stream_id()
        headers = {":method": "CONNECT", ":protocol": "websocket", ":scheme": "http", ":path": path, ":authority": self.where,
                   "sec-websocket-version": "13", "sec-websocket-extensions": "permessage-deflate"} | more
        self.open(stream, CLIENT)
        self.messages[stream], self.frames[stream] = [bytearray()], []
        self.h2.send_headers(stream, list(headers.items()))
        self.flush()
        while stream not in self.answers:
            assert self.step(), "no answer"
        return stream

    def on_data(self, stream):
        for frame in self.sockets[stream].events_received():
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self.messages[stream][-1] += frame.data
                if frame.fin:
                    self.messages[stream].append(bytearray())
            else:
                self.frames[stream].append(frame)

    def same(self, stream, message):
        self.sockets[stream].send_binary(message)
        self.flush()
        count = len(self.messages[stream])
        while len(self.messages[stream]) == count:
            assert self.step(), "nothing came back"
        assert bytes(self.messages[stream][-2]) == message, "another message of %d octets came back" % len(self.messages[stream][-2])

    def until_ended(self, stream):
        while stream not in self.ended:
            assert self.step(), "the connection has ended, not the stream"


def echo(ask):
    stream = ask.connect("/echo")
    answer = ask.answers[stream]
    assert answer[":status"] == "200" and "sec-websocket-accept" not in answer and "sec-websocket-extensions" not in answer, answer
    for n in (0, 1, 125, 126, 65535, 65536, 1000000):
        ask.same(stream, os.urandom(n))


def fragments(ask):
    ask.same(ask.connect("/fragments"), os.urandom(100000))


def several(ask):
    """WebSockets beside each other on one connection."""
    streams = [ask.connect("/echo") for _ in range(20)]
    for i, stream in enumerate(streams * 3):
        ask.same(stream, b"%d" % i * 100)


def ping(ask):
    stream = ask.connect("/echo")
    ask.sockets[stream].send_ping(b"there?")
    ask.flush()
    while not ask.frames[stream]:
        assert ask.step(), "no pong"
    assert (ask.frames[stream][0].opcode, ask.frames[stream][0].data) == (Opcode.PONG, b"there?")


def close(ask):
    for who in ("client", "server"):
        stream = ask.connect("/close" if who == "server" else "/echo")
        if who == "server":
            ask.sockets[stream].send_text(b"4001 bye")
        else:
            ask.sockets[stream].send_close(4001, "bye")
        ask.flush()
        ask.until_ended(stream)
        ask.h2.end_stream(stream)
        ask.flush()
        got = ask.frames[stream][0]
        assert got.opcode is Opcode.CLOSE and got.data[:2] == b"\x0f\xa1", "%s: %s" % (who, got)
    ask.same(ask.connect("/echo"), b"the connection goes on")


def subprotocol(ask):
    stream = ask.connect("/protocol/culvert.v1", **{"sec-websocket-protocol": "other, culvert.v1"})
    assert ask.answers[stream]["sec-websocket-protocol"] == "culvert.v1"


def plain_requests_beside(ask):
    stream = ask.connect("/echo")
    other = ask.h2.get_next_available_stream_id()
    ask.h2.send_headers(other, [(":method", "GET"), (":scheme", "http"), (":path", "/nothing"), (":authority", "h")], end_stream=True)
    ask.sockets[other] = Connection(CLIENT, OPEN)
    ask.waiting[other] = bytearray()
    ask.flush()
    while other not in ask.answers:
        assert ask.step(), "no answer"
    assert ask.answers[other][":status"] == "404"
    ask.same(stream, b"still there")


def ask_all(where):
    failed = 0
    for case in (echo, fragments, several, ping, close, subprotocol, plain_requests_beside):
        try:
            case(Ask(where))
            print("ok %s" % case.__name__)
        except Exception as e:  # pylint: disable=broad-except
            failed += 1
            print("FAIL %s: %s %s" % (case.__name__, type(e).__name__, e))
    return 1 if failed else 0


def serve_one(sock):
    wire = Wire(sock, True)
    try:
        while wire.step():
            pass
    except OSError:
        pass
    sock.close()


def serve():
    listener = socket.create_server(("127.0.0.1", 0))
    print("ready tcp %s:%d wsothers-h2" % listener.getsockname(), flush=True)
    while True:
        threading.Thread(target=serve_one, args=(listener.accept()[0],), daemon=True).start()


def main():
    if sys.argv[1:2] == ["serve"]:
        serve()
    elif sys.argv[1:2] == ["ask"] and len(sys.argv) == 3:
        sys.exit(ask_all(sys.argv[2]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
