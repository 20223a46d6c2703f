#!/usr/bin/python3
"""h2client: requests by python3-h2, a client that we did not write, all on one connection at the same time.

    h2client.py ADDR:PORT [--cafile FILE]     by TLS with --cafile, else cleartext by prior knowledge

Asks /healthz and what is not there in many ways, and checks each answer. The exit status tells.
"""
import argparse
import os
import sys
import time

import h2.config
import h2.connection
import h2.events
import h2.settings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import h2raw

LONG = "z" * 3000


class Answer:
    def __init__(self):
        self.status, self.fields, self.body, self.ended, self.reset = None, {}, b"", False, None


class Client:
    def __init__(self, target):
        self.sock = target.connect()
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.h2.local_settings.enable_push = 0
        self.answers, self.ended = {}, None
        self.flush()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def ask(self, method, path, *fields, body=None, trailers=None):
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path), *fields]
        self.answers[stream] = Answer()
        self.h2.send_headers(stream, head, end_stream=body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=trailers is None)
        if trailers is not None:
            self.h2.send_headers(stream, trailers, end_stream=True)
        self.flush()
        return self.answers[stream]

    def turn(self):
        data = self.sock.recv(65536)
        if not data:
            raise SystemExit("the server closed (%s)" % self.ended)
        for event in self.h2.receive_data(data):
            answer = self.answers.get(getattr(event, "stream_id", None))
            if isinstance(event, h2.events.ResponseReceived):
                answer.fields = dict(event.headers)
                answer.status = int(answer.fields[":status"])
            elif isinstance(event, h2.events.DataReceived):
                answer.body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                answer.ended = True
            elif isinstance(event, h2.events.StreamReset):
                answer.reset = event.error_code
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.ended = event.error_code
        self.flush()

    def wait(self, *answers, seconds=10):
        until = time.monotonic() + seconds
        while not all(a.ended or a.reset for a in answers):
            if time.monotonic() >= until:
                raise SystemExit("no answer within %d s" % seconds)
            self.turn()


def check(what, answer, status, body=None):
    if answer.status != status or (body is not None and answer.body != body) or answer.reset not in (None, 0):
        raise SystemExit("%s: %s %r %s" % (what, answer.status, answer.body[:60], answer.reset))
    print("  ok   " + what)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("where")
    parser.add_argument("--cafile")
    options = parser.parse_args()
    c = Client(h2raw.Target(options.where, options.cafile))
    plain = c.ask("GET", "/healthz")
    c.wait(plain)
    check("GET", plain, 200)
    ok, lost = plain.body, c.ask("GET", "/")
    c.wait(lost)
    check("GET of nothing", lost, 404)
    asked = {
        "HEAD": (c.ask("HEAD", "/healthz"), 200, b""),
        "HEAD of nothing": (c.ask("HEAD", "/"), 404, b""),
        "POST": (c.ask("POST", "/", ("content-type", "text/plain"), body=b"hello"), 404, lost.body),
        "POST with trailers": (c.ask("POST", "/", body=b"hello", trailers=[("checksum", "1")]), 404, lost.body),
        "POST with content-length": (c.ask("POST", "/", ("content-length", "5"), body=b"hello"), 404, lost.body),
        "expect": (c.ask("POST", "/", ("expect", "100-continue"), body=b"hello"), 404, lost.body),
        "a query": (c.ask("GET", "/healthz?a=b&c=d"), 200, ok),
        "a long header": (c.ask("GET", "/healthz", ("x-long", LONG)), 200, ok),
        "a long path": (c.ask("GET", "/" + LONG), 404, lost.body),
        "fifty cookies": (c.ask("GET", "/healthz", *(("cookie", "c%d=v%d" % (i, i)) for i in range(50))), 200, ok),
        "te: trailers": (c.ask("GET", "/healthz", ("te", "trailers")), 200, ok),
    }
    asked.update(("request %d at the same time" % i, (c.ask("GET", "/healthz"), 200, ok)) for i in range(1, 61))
    c.wait(*(answer for answer, _, _ in asked.values()))
    for what, (answer, status, body) in asked.items():
        check(what, answer, status, body)
        if "content-length" in answer.fields and not what.startswith("HEAD") and int(answer.fields["content-length"]) != len(answer.body):
            raise SystemExit("%s: content-length %s of %d" % (what, answer.fields["content-length"], len(answer.body)))
        for name in ("connection", "keep-alive", "transfer-encoding", "upgrade"):
            if name in answer.fields:
                raise SystemExit("%s: a header %s, which HTTP/2 has not (8.2.2)" % (what, name))
    c.h2.close_connection()
    c.flush()


if __name__ == "__main__":
    main()
