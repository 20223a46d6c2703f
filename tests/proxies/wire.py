"""HTTP/1 on a blocking socket, as far as the test proxies and controls need it."""

LIMIT = 65536


class Broken(Exception):
    """The peer ended early or sent what is no HTTP."""


class Reader:
    """Heads and bodies from a socket; what was read too much stays in .buffer."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = bytearray()

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise Broken("ended by the peer")
        self.buffer += data

    def head(self):
        """(first line, [(name, value)...])"""
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end >= 0:
                break
            if len(self.buffer) > LIMIT:
                raise Broken("head too long")
            self.more()
        lines = bytes(self.buffer[:end]).decode("latin-1").split("\r\n")
        del self.buffer[:end + 4]
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise Broken("not a header: %r" % line)
            headers.append((name.strip(), value.strip()))
        return lines[0], headers

    def exactly(self, size):
        while len(self.buffer) < size:
            self.more()
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data


def header(headers, name, default=""):
    """All values of a header, joined."""
    values = [v for n, v in headers if n.lower() == name]
    return ", ".join(values) if values else default


def host_port(text, port):
    """'host:port', '[v6]:port' or 'host' into (host, port)."""
    host, colon, number = text.rpartition(":")
    if colon and number.isdigit():
        return host.strip("[]"), int(number)
    return text.strip("[]"), port


def response(status, reason, body=b"", version="1.0", extra=()):
    """A whole answer that ends the connection."""
    if isinstance(body, str):
        body = body.encode()
    lines = ["HTTP/%s %d %s" % (version, status, reason), "Content-Type: text/html", "Content-Length: %d" % len(body)]
    lines += list(extra) + ["Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
