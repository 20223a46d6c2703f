"""The switches of nasty.py: names, values, what they do."""


def way(text):
    if text not in ("none", "up", "down", "both"):
        raise ValueError("none, up, down or both, not " + text)
    return text


def one_of(*words):
    def parse(text):
        if text not in words:
            raise ValueError("one of %s, not %s" % (", ".join(words), text))
        return text
    return parse


def names(text):
    return frozenset(n.lower() for n in text.split(",") if n)


# name: (how to read it, at the start, what it does)
TABLE = {
    "store": (way, "none", "none|up|down|both: read bodies of that way whole before anything goes on; heads, too"),
    "trickle": (float, 0, "seconds: while a download is held, let one byte pass that often (client comforting)"),
    "hold_up": (int, 0, "bytes: the first so many of each request are held until there are more or it ends"),
    "hold_down": (int, 0, "bytes: likewise of each answer"),
    "half": (int, 0, "1: an answer goes on only when its request has ended"),
    "cut_age": (float, 0, "seconds: connections are cut when they are so old"),
    "cut_bytes": (int, 0, "bytes: connections are cut when so many have passed, both ways together"),
    "cut_idle": (float, 0, "seconds: connections are cut when nothing passed for so long"),
    "cut_how": (one_of("fin", "rst", "stall"), "fin", "fin|rst|stall: how they are cut"),
    "limit": (int, 0, "connections of one client at a time"),
    "over": (one_of("refuse", "queue"), "refuse", "refuse|queue: what happens beyond the limit"),
    "strip": (names, frozenset(), "header,header: dropped from requests and answers"),
    "max_body": (int, 0, "bytes: larger request bodies are refused"),
    "large": (one_of("413", "rst"), "413", "413|rst: in this way"),
    "rewrite": (way, "none", "none|up|down|both: change a byte in the middle of each piece of a body"),
    "replay": (int, 0, "1: the second request for an URL gets the answer to the first"),
    "duplicate": (int, 0, "N: every Nth POST of known length goes to the server twice; the second answer counts"),
    "late": (int, 0, "N: every Nth POST of known length goes to the server again a second later; the first answer counts"),
    "lose_up": (int, 0, "N: every Nth request is read and goes nowhere; the connection ends"),
    "lose_down": (int, 0, "N: every Nth answer goes nowhere; the connection ends"),
    "auth": (int, 0, "1: everything is answered 407 from now on"),
    "html200": (int, 0, "N: every Nth exchange is answered by a page of HTML with status 200"),
    "chunked": (one_of("pass", "411", "501"), "pass", "pass|411|501: what chunked requests get"),
    "http10": (int, 0, "1: HTTP/1.0 on both sides, one exchange for each connection"),
    "close": (int, 0, "1: one exchange for each connection"),
    "upgrade": (one_of("426", "lie", "pass"), "426", "426|lie|pass: what requests for another protocol get; lie: the server's 101 and nothing behind it"),
    "interim": (int, 0, "1: 100 Continue goes to whoever asks for anything, CONNECT too, and 103 Early Hints goes before answers"),
}

HELP = "\n".join("%-10s %s" % (name, row[2]) for name, row in TABLE.items())


class Switches:
    """An attribute for each switch."""

    def __init__(self, settings=()):
        for name, (_, value, _) in TABLE.items():
            setattr(self, name, value)
        for setting in settings:
            self.throw(setting)

    def throw(self, setting):
        """NAME=VALUE; gives both as text. Raises ValueError with a sentence."""
        name, equals, text = setting.partition("=")
        if not equals or name not in TABLE:
            raise ValueError("no such switch: " + setting)
        try:
            setattr(self, name, TABLE[name][0](text))
        except ValueError as e:
            raise ValueError("%s: %s" % (name, e)) from None
        return name, text or "-"

    def stores(self, direction):
        return self.store in (direction, "both")

    def rewrites(self, direction):
        return self.rewrite in (direction, "both")
