#!/usr/bin/python3
"""storefwd: a store-and-forward HTTP/1.0 forward proxy that intercepts TLS.

It behaves as an old content scanner does, on purpose:
* CONNECT is answered 200, then TLS is served with a certificate of the proxy's own CA (or 403: --connect deny);
* one exchange for each connection, the whole request and then the whole response are read before they go on;
* towards the server HTTP/1.0, a new connection for each exchange, its certificate verified;
* a chunked request gets 411, an upgrade 426;
* a third connection of one client gets 503 (or waits: --over queue).

Everything lies in --dir: ca.crt (for clients to trust), exchanges.log with a line for each request:
    time client kind method url status bytes-up bytes-down milliseconds
kind is connect (an intercepted CONNECT), exchange, or refused (the connection limit).
Prints "ready tcp ADDR:PORT storefwd".
"""
import argparse
import os
import select
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from authority import Authority  # noqa: E402
from wire import Broken, Reader, header, host_port, response  # noqa: E402

# What concerns one hop only, and what HTTP/1.0 does not know.
STRIP = {"connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect",
         "proxy-authorization", "content-length"}


class Refusal(Exception):
    """An answer of the proxy's own."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status, self.reason = status, reason


class Slots:
    """How many connections each client has."""

    def __init__(self, limit, queue):
        self.limit, self.queue = limit, queue
        self.used = {}
        self.changed = threading.Condition()

    def enter(self, client):
        with self.changed:
            while self.limit and self.used.get(client, 0) >= self.limit:
                if not self.queue:
                    return False
                self.changed.wait()
            self.used[client] = self.used.get(client, 0) + 1
            return True

    def leave(self, client):
        with self.changed:
            self.used[client] -= 1
            self.changed.notify_all()


class Proxy:
    def __init__(self, options):
        self.options = options
        self.authority = Authority(options.dir, "store and forward proxy CA")
        self.slots = Slots(options.per_client, options.over == "queue")
        self.log_file = open(os.path.join(options.dir, "exchanges.log"), "a", buffering=1)
        self.lock = threading.Lock()
        self.faces = {}     # host -> TLS context shown to clients; tickets resume within it
        self.sessions = {}  # (host, port) -> TLS session towards the server
        self.upstream = ssl.create_default_context(cafile=options.upstream_ca)

    def log(self, client, kind, method, url, status, up, down, began):
        self.log_file.write("%.3f %s %s %s %s %d %d %d %.1f\n" % (
            time.time(), client, kind, method, url, status, up, down, (time.monotonic() - began) * 1000))

    def face(self, host):
        with self.lock:
            context = self.faces.get(host)
        if not context:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.authority.issue(host))
            with self.lock:
                context = self.faces.setdefault(host, context)
        return context

    def connect_upstream(self, secure, host, port):
        try:
            sock = socket.create_connection((host, port), timeout=10)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(self.options.idle)
            if not secure:
                return sock
            with self.lock:
                session = self.sessions.get((host, port))
            return self.upstream.wrap_socket(sock, server_hostname=host, session=session)
        except ssl.SSLError as e:
            raise Refusal(502, "server's TLS: %s" % e.reason)
        except OSError as e:
            raise Refusal(502, "cannot reach %s:%d: %s" % (host, port, e.strerror))


class Connection(threading.Thread):
    """One connection of a client, in a thread of its own."""

    def __init__(self, proxy, sock, peer):
        super().__init__(daemon=True)
        self.proxy, self.sock, self.client = proxy, sock, peer[0]
        self.began = time.monotonic()
        self.holds_slot = False

    def run(self):
        try:
            self.sock.settimeout(self.proxy.options.idle)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.serve()
        except (Broken, OSError, ValueError) as e:
            sys.stderr.write("%s: %s\n" % (self.client, e))
        finally:
            self.release()
            self.close()

    def release(self):
        if self.holds_slot:
            self.proxy.slots.leave(self.client)
        self.holds_slot = False

    def answer(self, data):
        """The connection's only answer; the place is free for another one before the client can know."""
        self.release()
        self.sock.sendall(data)

    def close(self):
        """Says the end, then reads what still comes, so that no reset overtakes the answer."""
        try:
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.settimeout(0)
                try:
                    self.sock = self.sock.unwrap()
                except (ssl.SSLError, OSError):
                    pass
            socket.socket.shutdown(self.sock, socket.SHUT_WR)
            self.sock.settimeout(1)
            while socket.socket.recv(self.sock, 65536):
                pass
        except OSError:
            pass
        self.sock.close()

    def serve(self):
        self.holds_slot = self.proxy.slots.enter(self.client)
        reader = Reader(self.sock)
        line, headers = reader.head()
        method, target, _ = self.parse(line)
        if not self.holds_slot:
            self.proxy.log(self.client, "refused", method, target, 503, 0, 0, self.began)
            self.answer(response(503, "Too many connections", "too many connections of this client\n"))
        elif method == "CONNECT" and self.proxy.options.connect == "deny":
            self.proxy.log(self.client, "connect", method, target, 403, 0, 0, self.began)
            self.answer(response(403, "Forbidden", "no tunnels here\n"))
        elif method == "CONNECT":
            self.intercept(target)
        elif target.startswith("http://"):
            authority, _, path = target[7:].partition("/")
            self.exchange(reader, line, headers, False, *host_port(authority, 80), "/" + path)
        else:
            self.answer(response(400, "Bad Request", "this is a proxy\n"))

    @staticmethod
    def parse(line):
        parts = line.split(" ")
        if len(parts) != 3:
            raise Broken("not a request: %r" % line[:80])
        return parts

    def intercept(self, target):
        host, port = host_port(target, 443)
        self.sock.sendall(b"HTTP/1.0 200 Connection established\r\n\r\n")
        self.proxy.log(self.client, "connect", "CONNECT", target, 200, 0, 0, self.began)
        self.sock = self.proxy.face(host).wrap_socket(self.sock, server_side=True)
        self.began = time.monotonic()
        reader = Reader(self.sock)
        line, headers = reader.head()
        self.exchange(reader, line, headers, True, host, port, self.parse(line)[1])

    def exchange(self, reader, line, headers, secure, host, port, path):
        method = self.parse(line)[0]
        url = "%s://%s:%d%s" % ("https" if secure else "http", host, port, path)
        up = down = 0
        try:
            body = self.read_request(reader, headers)
            time.sleep(self.proxy.options.scan / 1000)
            up = len(body)
            status, head, content = self.forward(method, path, headers, body, secure, host, port)
            down = len(content)
            data = head + content
        except Refusal as e:
            status, data = e.status, response(e.status, e.reason, "store and forward proxy: %s\n" % e)
        self.proxy.log(self.client, "exchange", method, url, status, up, down, self.began)
        self.answer(data)

    def read_request(self, reader, headers):
        if header(headers, "upgrade"):
            raise Refusal(426, "Upgrade Required")
        if header(headers, "transfer-encoding"):
            raise Refusal(411, "Length Required")
        length = int(header(headers, "content-length", "0"))
        if length > self.proxy.options.max_body:
            raise Refusal(413, "Request Entity Too Large")
        return reader.exactly(length)

    def forward(self, method, path, headers, body, secure, host, port):
        """(status, head for the client, content)"""
        sock = self.proxy.connect_upstream(secure, host, port)
        try:
            lines = ["%s %s HTTP/1.0" % (method, path)]
            lines += ["%s: %s" % h for h in headers if h[0].lower() not in STRIP]
            lines += ["Via: 1.0 storefwd", "Connection: close"]
            if body or method in ("POST", "PUT"):
                lines.append("Content-Length: %d" % len(body))
            sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)
            reply = self.read_reply(sock)
            if secure:
                with self.proxy.lock:
                    self.proxy.sessions[(host, port)] = sock.session
        finally:
            sock.close()
        return self.rewrite(reply)

    def read_reply(self, sock):
        """Everything up to the server's end, unless the client goes before."""
        reply = bytearray()
        sock.setblocking(False)
        while True:
            if not (isinstance(sock, ssl.SSLSocket) and sock.pending()):
                ready, _, _ = select.select([sock, self.sock], [], [], self.proxy.options.idle)
                if self.sock in ready:
                    raise Broken("the client did not wait for its answer")
                if not ready:
                    raise Refusal(504, "Gateway Timeout")
            try:
                data = sock.recv(65536)
            except ssl.SSLWantReadError: # a ticket only
                continue
            if not data:
                return bytes(reply)
            reply += data
            if len(reply) > self.proxy.options.max_body:
                raise Refusal(502, "response too large")

    @staticmethod
    def rewrite(reply):
        head, blank, content = reply.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        if not blank or len(words) < 2 or not words[1].isdigit():
            raise Refusal(502, "the server's answer is no HTTP")
        headers = [line for line in lines[1:] if line.split(":")[0].strip().lower() not in STRIP]
        lengths = [line.split(":")[1].strip() for line in lines[1:] if line.lower().startswith("content-length:")]
        if lengths and int(lengths[0]) != len(content):
            raise Refusal(502, "the server's answer ended early")
        out = ["HTTP/1.0 " + " ".join(words[1:])] + headers + ["Via: 1.0 storefwd", "Content-Length: %d" % len(content),
                                                              "Connection: close", "", ""]
        return int(words[1]), "\r\n".join(out).encode("latin-1"), content


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--listen", default="127.0.0.1:0")
    a.add_argument("--dir", required=True)
    a.add_argument("--upstream-ca", help="file of CAs for servers (default: the system's)")
    a.add_argument("--per-client", type=int, default=2, help="connections of one client at a time; 0: no limit")
    a.add_argument("--over", choices=("refuse", "queue"), default="refuse", help="what happens beyond that")
    a.add_argument("--connect", choices=("intercept", "deny"), default="intercept")
    a.add_argument("--scan", type=float, default=0, help="milliseconds that it looks at each request")
    a.add_argument("--idle", type=float, default=60, help="seconds without a byte until 504")
    a.add_argument("--max-body", type=int, default=16 << 20)
    options = a.parse_args()
    sys.setswitchinterval(0.0005)
    proxy = Proxy(options)
    listener = socket.create_server(host_port(options.listen, 0), backlog=128)
    print("ready tcp %s:%d storefwd" % listener.getsockname(), flush=True)
    while True:
        Connection(proxy, *listener.accept()).start()


if __name__ == "__main__":
    main()
