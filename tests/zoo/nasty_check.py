#!/usr/bin/python3
"""nasty_check: does each switch of nasty.py do what it says? nasty_check.py DIR; prints a line for each, status 1 when one does not.

Both ends are here: a server that sends bodies back as they come, and a client on plain sockets."""
import os
import socket
import ssl
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "proxies")]
from authority import Authority  # noqa: E402
from nasty_switches import TABLE  # noqa: E402
from wire import Broken, Reader, header  # noqa: E402

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"


class Server(threading.Thread):
    """POST /echo: the body, streamed. /count: how many requests came. /headers: those of the request."""

    def __init__(self, cert, key):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.count = 0

    def run(self):
        while True:
            threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, sock):
        try:
            sock = self.context.wrap_socket(sock, server_side=True)
            reader = Reader(sock)
            while True:
                line, headers = reader.head()
                self.answer(sock, reader, line.split(" ")[1], headers)
        except (Broken, OSError):
            sock.close()

    def answer(self, sock, reader, path, headers):
        length = int(header(headers, "content-length", "0"))
        if path == "/echo" and header(headers, "transfer-encoding"):
            sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            size = 1
            while size:
                size, piece = chunk(reader)
                sock.sendall(b"%x\r\n%s\r\n" % (size, piece))
            return
        body = reader.exactly(length)
        if path == "/count":
            self.count += 1
            body = b"%d" % self.count
        elif path == "/headers":
            body = repr(headers).encode()
        sock.sendall(OK % (len(body), body))


def chunk(reader):
    """(size, data)"""
    while b"\r\n" not in reader.buffer:
        reader.more()
    line, _, _ = bytes(reader.buffer).partition(b"\r\n")
    size = int(line, 16)
    reader.exactly(len(line) + 2)
    return size, reader.exactly(size + 2)[:-2]


class Client:
    """A connection through the proxy."""

    def __init__(self, check):
        self.check = check
        self.sock = socket.create_connection(check.proxy, timeout=3)
        self.sock.sendall(b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % check.server.port)
        self.reader = Reader(self.sock)
        self.interim = 0  # answers in front of the one to CONNECT
        self.connected = 100
        while self.connected < 200:
            self.connected = int(self.reader.head()[0].split(" ")[1])
            self.interim += self.connected < 200
        if self.connected == 200:
            self.sock = check.trust.wrap_socket(self.sock, server_hostname="localhost")
            self.reader = Reader(self.sock)

    def send(self, method, path, body=None, *headers):
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: localhost"] + list(headers)
        lines.append("Transfer-Encoding: chunked" if body is None else "Content-Length: %d" % len(body))
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b""))

    def piece(self, data):
        self.sock.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def head(self):
        line, headers = self.reader.head()
        return line, headers

    def ask(self, method, path, body=b"", *headers):
        """(status line, headers, body of known length)"""
        self.send(method, path, body, *headers)
        line, got = self.head()
        return line, got, self.reader.exactly(int(header(got, "content-length", "0")))

    def silent(self, seconds=0.4):
        """Does nothing come?"""
        before = len(self.reader.buffer)
        self.sock.settimeout(seconds)
        try:
            self.reader.more()
        except TimeoutError:
            pass
        self.sock.settimeout(3)
        return len(self.reader.buffer) == before


class Check:
    def __init__(self, directory):
        self.directory = directory
        authority = Authority(os.path.join(directory, "server"))
        self.server = Server(*authority.issue("localhost"))
        self.server.start()
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "nasty.py"), "--dir", directory, "--upstream-ca", authority.cert],
                                        stdout=subprocess.PIPE, text=True)
        self.proxy = ("127.0.0.1", int(self.process.stdout.readline().split()[2].rpartition(":")[2]))
        self.trust = ssl.create_default_context(cafile=os.path.join(directory, "ca.crt"))
        self.thrown = 0

    def log(self):
        with open(os.path.join(self.directory, "exchanges.log")) as f:
            return [line.split() for line in f]

    def throw(self, *settings):
        """These switches, all others as at the start."""
        words = ["%s=%s" % (n, ",".join(row[1]) if isinstance(row[1], frozenset) else row[1]) for n, row in TABLE.items()] + list(settings)
        self.thrown += len(words)
        path = os.path.join(self.directory, "control")
        with open(path + ".new", "w") as f:
            f.write("\n".join(words) + "\n#%d\n" % self.thrown)
        os.rename(path + ".new", path)
        until = time.monotonic() + 3
        while sum(e[2] == "switch" for e in self.log()) < self.thrown:
            if time.monotonic() > until:
                raise AssertionError("switches were not taken: " + " ".join(settings))
            time.sleep(0.02)

    def cuts(self):
        return [e[3] for e in self.log() if e[2] == "cut"]


def echo_begun(check, data=b"one"):
    client = Client(check)
    client.send("POST", "/echo")
    client.piece(data)
    return client


def none(check):
    client = echo_begun(check)
    assert client.head()[0].startswith("HTTP/1.1 200")
    assert chunk(client.reader) == (3, b"one"), "no echo before the end of the request"
    client.piece(b"")
    assert chunk(client.reader)[0] == 0
    line, _, body = client.ask("POST", "/echo", b"again")
    assert body == b"again", "the connection is not used again"


def held_until_end(check):
    client = echo_begun(check)
    assert client.silent(), "something came before the end of the request"
    client.piece(b"")
    assert client.head()[0].split()[1] == "200" and chunk(client.reader) == (3, b"one")


def released(check):
    client = echo_begun(check)
    assert client.silent(), "it was not held"
    check.throw()
    assert client.head()[0].split()[1] == "200" and chunk(client.reader) == (3, b"one"), "not released"


def held_first(check):
    client = echo_begun(check)
    assert client.silent(), "the first bytes were not held"
    client.piece(b"x" * 1000)
    assert client.head()[0].split()[1] == "200" and chunk(client.reader) == (3, b"one")


def trickles(check):
    client = echo_begun(check)
    client.head()
    time.sleep(1)
    client.silent()
    assert 1 <= len(client.reader.buffer) <= 5, "%d bytes in 1.4 s" % len(client.reader.buffer)


def cut_by(reason, how="fin"):
    def check_it(check):
        before = len(check.cuts())
        client = echo_begun(check, b"x" * 4000)
        client.head()
        below = socket.socket(fileno=os.dup(client.sock.fileno()))  # TLS in Python takes a reset for an end
        below.settimeout(3)
        try:
            while below.recv(65536):
                if reason == "age":
                    client.piece(b"go on")
                    time.sleep(0.02)
            came = "fin"
        except TimeoutError:
            came = "stall"
        except (ConnectionResetError, BrokenPipeError):
            came = "rst"
        assert came == how, came
        assert check.cuts()[before:] == [reason], check.cuts()[before:]
    return check_it


def status(code, method="POST", body=b"small"):
    def check_it(check):
        client = Client(check)
        client.send(method, "/echo", body)
        line, headers = client.head()
        assert line.split()[1] == code, line
        return line, headers
    return check_it


def reset(check):
    try:
        status("200", body=b"x" * 200)(check)
    except (ConnectionResetError, Broken, BrokenPipeError):
        return
    raise AssertionError("not reset")


def rewritten(check):
    body = Client(check).ask("POST", "/echo", b"12345")[2]
    assert len(body) == 5 and sum(a != b for a, b in zip(body, b"12345")) == 1, body


def replayed(check):
    assert Client(check).ask("GET", "/count")[2] == Client(check).ask("GET", "/count")[2], "asked again"


def duplicated(check):
    before = check.server.count
    assert Client(check).ask("POST", "/count", b"x")[2] == b"%d" % (before + 2)


def late(check):
    before = check.server.count
    client = Client(check)
    assert client.ask("POST", "/count", b"x")[2] == b"%d" % (before + 1)
    time.sleep(1.3)
    assert check.server.count == before + 2, "no copy came"


def lost(reaches):
    def lost_way(check):
        before = check.server.count
        try:
            Client(check).ask("POST", "/count", b"x")
            raise AssertionError("it was answered")
        except Broken:
            pass
        assert check.server.count == before + reaches, "%d reached the server" % (check.server.count - before)
    return lost_way


def password(check):
    assert Client(check).connected == 407


def password_inside(check):
    check.throw()
    client = Client(check)
    check.throw("auth=1")
    assert client.ask("GET", "/count")[0].split()[1] == "407"


def page(check):
    assert b"<html>" in Client(check).ask("POST", "/echo", b"x")[2]


def stripped(check):
    assert b"X-Test" not in Client(check).ask("GET", "/headers", b"", "X-Test: 1")[2]


def ends(check):
    client = Client(check)
    line, headers, _ = client.ask("POST", "/echo", b"x")
    assert header(headers, "connection") == "close"
    try:
        client.reader.more()
    except (Broken, ssl.SSLError):
        return line
    raise AssertionError("the connection stays")


def interim(check):
    client = Client(check)
    assert client.interim == 2, "%d in front of the answer to CONNECT" % client.interim
    client.send("POST", "/echo")
    client.piece(b"one")
    assert [client.head()[0].split()[1] for _ in range(3)] == ["100", "103", "200"]
    assert chunk(client.reader) == (3, b"one")


def old(check):
    assert ends(check).startswith("HTTP/1.0 ")


def refused(check):
    first = Client(check)
    assert first.connected == 200
    assert Client(check).connected == 503
    first.sock.close()


def queued(check):
    first = Client(check)
    threading.Timer(0.5, first.sock.close).start()
    began = time.monotonic()
    assert Client(check).connected == 200 and time.monotonic() - began > 0.4, "not queued"


CHECKS = (
    (("limit=1",), refused), (("limit=1", "over=queue"), queued),
    ((), none), (("store=both",), held_until_end), (("store=up",), held_until_end), (("store=down",), held_until_end), (("store=both",), released),
    (("half=1",), held_until_end), (("hold_up=1000",), held_first), (("hold_down=1000",), held_first), (("trickle=0.4",), trickles),
    (("cut_age=0.5",), cut_by("age")), (("cut_bytes=3000",), cut_by("bytes")), (("cut_idle=0.5",), cut_by("idle")),
    (("cut_idle=0.5", "cut_how=rst"), cut_by("idle", "rst")), (("cut_idle=0.5", "cut_how=stall"), cut_by("idle", "stall")),
    (("chunked=411",), lambda c: status("411", body=None)(c)), (("chunked=501",), lambda c: status("501", body=None)(c)),
    (("max_body=100",), status("413", body=b"x" * 200)), (("max_body=100", "large=rst"), reset),
    (("rewrite=down",), rewritten), (("rewrite=up",), rewritten), (("replay=1",), replayed), (("duplicate=1",), duplicated),
    (("late=1",), late), (("lose_up=1",), lost(0)), (("lose_down=1",), lost(1)),
    (("auth=1",), password), (("auth=1",), password_inside), (("html200=1",), page), (("strip=x-test",), stripped), (("close=1",), ends), (("http10=1",), old),
    (("interim=1",), interim),
)


def main():
    check, failed = Check(sys.argv[1]), 0
    try:
        for settings, each in CHECKS:
            try:
                check.throw(*settings)
                each(check)
                print("ok   %s" % (" ".join(settings) or "no fault"))
            except (AssertionError, OSError, Broken) as e:
                failed += 1
                print("FAIL %s (%s): %s %s" % (" ".join(settings), each.__name__, type(e).__name__, e))
    finally:
        check.process.terminate()
        check.process.wait()
    print("nasty: %d passed, %d failed" % (len(CHECKS) - failed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
