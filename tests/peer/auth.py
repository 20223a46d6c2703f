"""Authentication of exchanges (PROTOCOL.md, section 2.2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

CLOCK_TOLERANCE = 120  # seconds
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_HEADER = re.compile(r"[Cc][Uu][Ll][Vv][Ee][Rr][Tt] +(.*)\Z")
_FIELD = re.compile(r"(id|ts|mac)=([A-Za-z0-9._-]+)\Z")


def read_token_file(path: str) -> dict[str, list[bytes]]:
    """Lines `name:token`; an identity may have several tokens."""
    tokens: dict[str, list[bytes]] = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            name, colon, token = line.partition(":")
            if not colon or not NAME.match(name) or not _token_is_valid(token):
                raise ValueError("token file: a line is not name:token")
            tokens.setdefault(name, []).append(token.encode())
    if not tokens:
        raise ValueError("token file: no token")
    return tokens


def _token_is_valid(token: str) -> bool:
    return 16 <= len(token) <= 256 and all(0x21 <= ord(c) <= 0x7E and c != ":" for c in token)


def compute_mac(token: bytes, method: str, path: str, query: str, seconds: str) -> str:
    key = hmac.digest(token, b"culvert v1 request", hashlib.sha256)
    message = "\n".join((method, path, query, seconds)).encode("latin-1")
    return base64.urlsafe_b64encode(hmac.digest(key, message, hashlib.sha256)).rstrip(b"=").decode()


def authorization(name: str, token: bytes, method: str, path: str, query: str, seconds: int) -> str:
    mac = compute_mac(token, method, path, query, str(seconds))
    return f"Culvert id={name}, ts={seconds}, mac={mac}"


def _read_header(value: str) -> dict[str, str] | None:
    matched = _HEADER.match(value.strip())
    if not matched:
        return None
    fields: dict[str, str] = {}
    for part in matched.group(1).split(","):
        got = _FIELD.match(part.strip())
        if not got or got.group(1) in fields:
            return None
        fields[got.group(1)] = got.group(2)
    return fields if len(fields) == 3 else None


def verify(tokens: dict[str, list[bytes]], header: str | None, method: str, path: str, query: str,
           now: float) -> str | None:
    """The identity that made the request, or None."""
    fields = _read_header(header) if header else None
    if fields is None or not re.fullmatch(r"[0-9]{1,12}", fields["ts"]) or len(fields["mac"]) != 43:
        return None
    good = False
    for token in tokens.get(fields["id"], []):
        mac = compute_mac(token, method, path, query, fields["ts"])
        good |= hmac.compare_digest(mac, fields["mac"])
    if not good or abs(int(fields["ts"]) - now) > CLOCK_TOLERANCE:
        return None
    return fields["id"]
