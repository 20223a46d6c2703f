"""A server's requests: the query of one, and what is known of it (PROTOCOL.md, section 2.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import http1


@dataclass
class Request:
    """A request that is well-formed and authenticated."""
    identity: str
    sid: str
    carrier: int
    x: int
    mode: str
    hold: int
    held: int
    epoch: str | None
    head: http1.Head
    fields: dict[str, int | str] = field(default_factory=dict)

    def number(self, name: str, default: int = 0) -> int:
        """end, rest, ka, pad, sse, a, n, gap or size."""
        return self.fields.get(name, default)


NUMBERS = {"c": (0, 65_535), "x": (0, (1 << 53) - 1), "hold": (0, 60_000), "k": (1, 16), "end": (0, 1), "rest": (0, 1), "ka": (200, 60_000),
           "pad": (0, 6_144), "sse": (0, 1), "a": (0, 2), "n": (0, 32), "gap": (0, 600_000), "size": (0, 65_000)}


def parse_query(query: str) -> dict[str, int | str] | None:
    """Section 2.1; None if it is malformed."""
    found: dict[str, int | str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name not in NUMBERS and name not in ("m", "e"):
            continue
        if name in found:
            return None
        found[name] = value
    for name, (least, most) in NUMBERS.items():
        if name in found:
            if not re.fullmatch(r"[0-9]{1,16}", found[name]) or not least <= int(found[name]) <= most:
                return None
            found[name] = int(found[name])
    modes = ("hello", "poll", "up", "down", "duplex", "probe", "websocket")
    if "c" not in found or "x" not in found or found.get("m") not in modes:
        return None
    if "e" in found and not re.fullmatch(r"[0-9a-f]{16}", found["e"]):
        return None
    return None if "e" not in found and found["m"] != "hello" else found
