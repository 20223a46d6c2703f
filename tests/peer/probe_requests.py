"""Probes of requests and of sessions as a whole (PROTOCOL.md, sections 2 and 5)."""

from __future__ import annotations

import asyncio
import time

import http1
import wire
from client import PATIENCE, Client, Link, check, code_of, new_sid, opening

# ---------------------------------------------------------------- requests (section 2)

async def probe_cover_is_the_same_for_every_cause(client: Client) -> None:
    sid, good = new_sid(), "c=0&x=0&m=hello"
    session = await Link(client).begin()
    first = (await client.send(sid, good, signed=False)).cover()
    check(first[0] == "404", f"status {first[0]}")
    others = {
        "token": await client.send(sid, good, token=b"?" * 32),
        "past": await client.send(sid, good, skew=-300), "future": await client.send(sid, good, skew=300),
        "method": await client.send(sid, good, method="PUT"), "GET": await client.send(sid, good, method="GET"),
        "sid": await client.send(sid[:-1], good), "double": await client.send(sid, good + "&c=0"),
        "range": await client.send(sid, "c=65536&x=0&m=hello"), "mode": await client.send(sid, "c=0&x=0&m=other"),
        "no e": await client.send(session.sid, "c=0&x=9&m=poll"), "bad e": await client.send(sid, "c=0&x=0&m=poll&e=X"),
        "hold": await client.send(session.sid, session.query("poll", "&hold=60001")),
        "k": await client.send(session.sid, session.query("poll", "&k=17")),
        "ka": await client.send(session.sid, session.query("poll", "&ka=199")),
        "pad": await client.send(session.sid, session.query("poll", "&pad=6145")),
        "sse": await client.send(session.sid, session.query("down", "&sse=2")),
        "n": await client.send(session.sid, session.query("probe", "&n=33")),
        "a": await client.send(session.sid, session.query("probe", "&a=3")),
        "path": await client.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    }
    for cause, answer in others.items():
        check(answer.cover() == first, f"another cover for {cause}: {answer.cover()}")


async def probe_unknown_parameters_are_ignored(client: Client) -> None:
    session = Link(client)
    answer = await client.send(session.sid, "zz=1&m=hello&x=3&c=9", session.record(wire.Hello(1, 1, 0).encode()))
    answer.parse().one(wire.WELCOME)


async def probe_absolute_form_counts_from_its_path(client: Client) -> None:
    session = Link(client)
    (await session.hello(absolute=True)).one(wire.WELCOME)


async def probe_http_1_0(client: Client) -> None:
    session = await Link(client).begin()
    reader, writer = await client.connect()
    writer.write(client.head(session.sid, session.query("down"), version="1.0"))
    head = await asyncio.wait_for(http1.read_head(reader), PATIENCE)
    check("transfer-encoding" not in head.headers and "content-length" not in head.headers, "framing for HTTP/1.0")
    check(await asyncio.wait_for(reader.read(1), PATIENCE) in (b"\x01", b"\x02"), "body")
    writer.transport.abort()


async def probe_long_varints(client: Client) -> None:
    session = Link(client)
    wire.use_long_varints(True)
    try:
        check((await session.begin()).welcome.version == 1, "version")
    finally:
        wire.use_long_varints(False)


# ---------------------------------------------------------------- the session (section 5)

async def probe_hello_repeated_is_answered_alike(client: Client) -> None:
    session = await Link(client).begin()
    again = wire.Welcome.decode((await session.hello()).one(wire.WELCOME))
    check(again == session.welcome, "WELCOME differs")


async def probe_no_version_in_common(client: Client) -> None:
    farewell = wire.Farewell.decode((await Link(client).hello(wire.Hello(2, 9, 0))).one(wire.BYE))
    check((farewell.code, farewell.version_min, farewell.version_max) == (wire.VERSION, 1, 1), f"{farewell}")


async def probe_higher_version_and_features_are_negotiated_down(client: Client) -> None:
    welcome = wire.Welcome.decode((await Link(client).hello(wire.Hello(1, 9, 0x3F))).one(wire.WELCOME))
    check(welcome.version == 1 and welcome.features & wire.FEATURE_PROBES and welcome.features <= 7, f"{welcome}")


async def probe_unknown_session(client: Client) -> None:
    session = await Link(client).begin()
    for mode in ("poll", "down"):
        answer = (await client.send(new_sid(), session.query(mode))).parse()
        check(code_of(answer, wire.GONE) == wire.UNKNOWN_SESSION, "code")


async def probe_another_identity_does_not_see_the_session(client: Client) -> None:
    session = await Link(client).begin()
    check(code_of(await session.poll(who=1), wire.GONE) == wire.UNKNOWN_SESSION, "code")
    await session.poll()


async def probe_epoch(client: Client) -> None:
    session = await Link(client).begin()
    for mode in ("poll", "down", "up", "duplex"):
        session.epoch = f"{session.welcome.epoch ^ 1:016x}"
        body = session.record(opening(2, wire.KIND_STREAM, "sig")) if mode != "down" else b""
        answer = (await client.send(session.sid, session.query(mode), body)).parse()
        check(code_of(answer, wire.GONE) == wire.EPOCH, f"code for {mode}")
    session.epoch = f"{session.welcome.epoch:016x}"
    check(not (await session.gather(wire.capsule(wire.PING, b"\x01"), 0.5)).all(wire.OPENED), "OPEN was applied")


async def probe_tombstone(client: Client) -> None:
    session = await Link(client).begin()
    check((await session.poll(wire.Farewell(wire.SHUTDOWN).encode(wire.BYE))) is not None, "answer")
    for _ in range(2):
        check(code_of(await session.poll(), wire.GONE) == wire.ENDED, "code for poll")
    check(code_of(await session.hello(), wire.GONE) == wire.ENDED, "code for hello")


async def probe_bye_releases_held_answers(client: Client) -> None:
    session = await Link(client).begin()
    held = asyncio.create_task(session.poll(None, 9_000))
    await asyncio.sleep(0.3)
    begun = time.monotonic()
    await session.poll(wire.Farewell(wire.SHUTDOWN).encode(wire.BYE))
    await held
    check(time.monotonic() - begun < 2.0, "still held")
