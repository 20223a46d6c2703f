"""Speaks the PROXY protocol by hand, where a real proxy would not: proxy_protocol.py HOST:PORT or unix:PATH, then steps.

Steps: header=WHAT (see HEADERS), drip (each byte of what follows by itself), get=PATH,
tls=PATH, flush, wait. Prints status and body of each answer, or "closed"."""
import socket
import ssl
import struct
import sys
import time

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT, SERVER = ("203.0.113.77", 56324), ("198.51.100.1", 443)


def v2(command, family, rest):
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(rest)) + rest


def addresses():
    return socket.inet_aton(CLIENT[0]) + socket.inet_aton(SERVER[0]) + struct.pack("!HH", CLIENT[1], SERVER[1])


HEADERS = {
    "v1": b"PROXY TCP4 %s %s %d %d\r\n" % (CLIENT[0].encode(), SERVER[0].encode(), CLIENT[1], SERVER[1]),
    "v1-six": b"PROXY TCP6 2001:db8::77 ::1 56324 443\r\n",
    "unknown": b"PROXY UNKNOWN\r\n",
    "v2": v2(1, 0x11, addresses()),
    "v2-values": v2(1, 0x11, addresses() + b"\x04\x00\x03abc" + b"\x20\x00\x08" + bytes(8)),
    "local": v2(0, 0, b""),
    "unspec": v2(1, 0, b""),
    "unix": v2(1, 0x31, bytes(216)),
    "long": v2(1, 0x11, addresses() + bytes(5000)),
    "short": v2(1, 0x21, addresses()),
    "garbage": b"PROXY TCP4 somewhere\r\n",
    "part": b"PROXY TCP4 203.0.113.77 198.5",
    "none": b"",
}


class Connection:
    def __init__(self, at):
        if at.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(at[5:])
        else:
            host, port = at.rsplit(":", 1)
            self.socket = socket.create_connection((host.strip("[]"), int(port)))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(15)
        self.held = b""
        self.drip = False

    def send(self, data):
        if not self.drip:
            self.socket.sendall(data)
            return
        for i in range(len(data)):
            self.socket.sendall(data[i:i + 1])
            time.sleep(0.002)

    def get(self, path):
        self.send(self.held + b"GET %s HTTP/1.1\r\nHost: here\r\nX-Forwarded-For: 192.0.2.99\r\n\r\n" % path.encode())
        self.held = b""
        return self.answer()

    def answer(self):
        got = b""
        while b"\r\n\r\n" not in got or len(got.split(b"\r\n\r\n", 1)[1]) < int(got.lower().split(b"content-length: ", 1)[1].split()[0]):
            more = self.socket.recv(4096)
            if not more:
                return "closed"
            got += more
        return got.split()[1].decode() + "," + got.split(b"\r\n\r\n", 1)[1].decode().strip()

    def tls(self, path):
        self.send(self.held)
        self.held = b""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)
        return self.get(path)

    def step(self, name, value):
        if name == "header":
            self.held = HEADERS[value]
        elif name == "drip":
            self.drip = True
        elif name == "flush":
            self.send(self.held)
            self.held = b""
        elif name == "wait":
            self.send(self.held)
            return "closed" if not self.socket.recv(1) else "talks"
        else:
            return {"get": self.get, "tls": self.tls}[name](value)


def main():
    connection = Connection(sys.argv[1])
    for word in sys.argv[2:]:
        try:
            said = connection.step(*word.partition("=")[::2])
        except (ConnectionError, ssl.SSLError):
            said = "closed"
        if said:
            print(said, flush=True)


main()
