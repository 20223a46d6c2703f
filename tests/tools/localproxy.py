#!/usr/bin/env python3
"""A web server and UDP echoes to go to, and a client of SOCKS5 that says exactly what it is told.

  localproxy.py serve                       a web server and two UDP echoes: prints ready lines
  localproxy.py udp SOCKS HOST PORT [LOGIN] datagrams through an association: several sizes, order, other sources, fragments, its end
  localproxy.py connect SOCKS HOST PORT     CONNECT: prints the reply's code
  localproxy.py early SOCKS HOST PORT       everything in one write: greeting, request and what the target is to echo
  localproxy.py garbage SOCKS               things that are no SOCKS5: the connection ends, nothing else does
"""
import hashlib
import http.server
import ipaddress
import os
import socket
import struct
import sys
import threading

BIG = 10_000_000


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        pass

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Asked", f"{self.command} {self.path} {self.headers.get('Via', '-')} {self.headers.get('Proxy-Authorization', '-')}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.answer(b"\x00\x01\x02culvert" * (BIG // 10) if self.path == "/big" else b"hello\n")

    do_HEAD = do_GET

    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while n := int(self.rfile.readline(), 16):
                body += self.rfile.read(n)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(hashlib.sha256(body).hexdigest().encode() + b"\n")


def echo(sock, answer):
    while True:
        data, source = sock.recvfrom(65535)
        sock.sendto(answer + data, source)


def serve():
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    print(f"ready tcp 127.0.0.1:{web.server_port} web", flush=True)
    for name in ("one", "two"):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        threading.Thread(target=echo, args=(sock, name.encode() + b" "), daemon=True).start()
        print(f"ready udp 127.0.0.1:{sock.getsockname()[1]} {name}", flush=True)
    threading.Event().wait()


def address(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise EOFError(f"the connection ended after {len(data)} of {n} octets")
        data += more
    return data


def packed(host, port):
    try:
        ip = ipaddress.ip_address(host)
        return bytes([1 if ip.version == 4 else 4]) + ip.packed + struct.pack(">H", port)
    except ValueError:
        return bytes([3, len(host)]) + host.encode() + struct.pack(">H", port)


def dial(socks):
    sock = socket.create_connection(address(socks), timeout=20)
    return sock


def greet(sock, login):
    sock.sendall(b"\x05\x01\x02" if login else b"\x05\x01\x00")
    method = exactly(sock, 2)
    assert method == (b"\x05\x02" if login else b"\x05\x00"), method
    if login:
        user, password = login.split(":", 1)
        sock.sendall(bytes([1, len(user)]) + user.encode() + bytes([len(password)]) + password.encode())
        assert exactly(sock, 2) == b"\x01\x00", "wrong name or password"


def ask(sock, command, host, port):
    """The reply's code and where the proxy is bound."""
    sock.sendall(bytes([5, command, 0]) + packed(host, port))
    _, code, _, kind = exactly(sock, 4)
    ip = ipaddress.ip_address(exactly(sock, 4 if kind == 1 else 16))
    return code, str(ip), struct.unpack(">H", exactly(sock, 2))[0]


def udp(socks, host, port, login=None):
    control = dial(socks)
    greet(control, login)
    code, ip, bound = ask(control, 3, "0.0.0.0", 0)
    assert code == 0, f"UDP ASSOCIATE: reply {code}"
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    client = socket.socket(family, socket.SOCK_DGRAM)
    client.settimeout(5)

    def send(data, to=(host, port), frag=0, sock=client):
        sock.sendto(struct.pack(">HB", 0, frag) + packed(*to) + data, (ip, bound))

    def receive():
        data, source = client.recvfrom(65535)
        assert source[:2] == (ip, bound), source
        head = b"\0\0\0" + packed(host, port)
        assert data.startswith(head), data[:40]
        return data[len(head):]

    for size in (0, 1, 100, 1200, 1400, 8000):
        send(os.urandom(1) * size)
        assert len(receive()) == 4 + size, f"size {size}"
    for n in range(200):
        send(b"%d" % n)
        assert receive() == b"one %d" % n
    stranger = socket.socket(family, socket.SOCK_DGRAM)
    send(b"stranger", sock=stranger)
    send(b"fragment", frag=1)
    client.sendto(b"\0\0", (ip, bound))
    client.sendto(struct.pack(">HB", 0, 0) + b"\x09xxxx", (ip, bound))
    send(b"last")
    assert receive() == b"one last", "a stranger's datagram, a fragment or garbage came through"
    other = dial(socks)
    greet(other, login)
    assert ask(other, 3, "0.0.0.0", 0)[2] != bound, "two associations have one port"
    control.close()
    client.settimeout(0.3)
    for _ in range(50):		# the association ends with the connection
        try:
            send(b"late")
            receive()
        except (TimeoutError, ConnectionRefusedError):
            break
    else:
        raise AssertionError("the association outlives its connection")
    print("ok")


def connect(socks, host, port):
    sock = dial(socks)
    greet(sock, None)
    print(ask(sock, 1, host, port)[0])


def early(socks, host, port):
    sock = dial(socks)
    sock.sendall(b"\x05\x01\x00" + bytes([5, 1, 0]) + packed(host, port) + b"GET /early HTTP/1.0\r\n\r\n")
    assert exactly(sock, 2) == b"\x05\x00"
    assert exactly(sock, 10)[1] == 0
    sock.shutdown(socket.SHUT_WR)
    answer = b""
    while more := sock.recv(65536):
        answer += more
    assert b"GET /early" in answer and answer.endswith(b"hello\n"), answer
    print("ok")


def garbage(socks):
    for text in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", b"\x05\x00", b"\x05\x01\x00\x05\x01\x00\x09",
                 b"\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50", b"\x05\x01\x00" + b"\x05\x01\x00\x03\xff" + b"a" * 255 + b"\x00\x50", os.urandom(2000)):
        sock = dial(socks)
        sock.sendall(text)
        try:
            while sock.recv(4096):
                pass
        except ConnectionResetError:
            pass
    print("ok")


if __name__ == "__main__":
    verb, *args = sys.argv[1:]
    if len(args) > 2:
        args[2] = int(args[2])
    globals()[verb](*args)
