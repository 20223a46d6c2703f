"""Probes of channels (PROTOCOL.md, section 6)."""

from __future__ import annotations

import time

import wire
from client import Client, Link, check, covers, opening


async def probe_refusals(client: Client) -> None:
    session = await Link(client).begin()
    wants = {2: (opening(2, wire.KIND_STREAM, "nothing"), wire.UNKNOWN_SERVICE),
             4: (opening(4, wire.KIND_STREAM, "rtp"), wire.WRONG_KIND),
             6: (opening(6, wire.KIND_DATAGRAM, "rtp", {wire.P_INDEX: 60_000}), wire.WRONG_KIND)}
    everything = await session.gather(b"".join(octets for octets, _ in wants.values()), 0.5)
    got = {r.channel: r.code for r in map(wire.Refused.decode, everything.all(wire.REFUSED))}
    check(got == {ident: code for ident, (_, code) in wants.items()}, f"{got}")


async def probe_channel_limit(client: Client) -> None:
    session = await Link(client).begin()
    limit = session.welcome.parameters.get(wire.P_CHANNELS, 64)
    check(limit <= 100, f"{limit} channels are too many for this probe")
    await session.poll(b"".join(opening(2 * n, wire.KIND_DATAGRAM, "rtp") for n in range(1, limit + 2)))
    refused = wire.Refused.decode(await session.poll_until(wire.REFUSED))
    check((refused.channel, refused.code) == (2 * limit + 2, wire.LIMIT), f"{refused}")


async def probe_open_is_answered_again(client: Client) -> None:
    session = await Link(client).begin()
    for _ in range(2):
        await session.poll_until(wire.OPENED, opening(2, wire.KIND_DATAGRAM, "rtp"))


async def probe_stream_before_its_open_waits(client: Client) -> None:
    session = await Link(client).begin()
    await session.gather(wire.Stream(2, 0, b"early bird", True).encode(), 1.5)
    everything = await session.gather(opening(2, wire.KIND_STREAM, "half"), 1.5)
    text = b"".join(wire.Stream.decode(v).octets for v in everything.all(wire.STREAM)[:1])
    check(text.startswith(b"10 "), f"{text!r}")


async def probe_early_capsules_beyond_the_limit_are_not_receipted(client: Client) -> None:
    session = await Link(client).begin()
    number = session.number
    everything = await session.gather(wire.Stream(2, 0, bytes(5_000), False).encode(), 0.4)
    check(not covers(everything, number), "receipted")


async def probe_segments_in_any_order(client: Client) -> None:
    session = await Link(client).begin()
    pieces = [(6, b"6789", True), (3, b"345", False), (0, b"0123", False), (2, b"234567", False), (0, b"0", False)]
    capsules = opening(2, wire.KIND_STREAM, "sig") + b"".join(wire.Stream(2, o, b, f).encode() for o, b, f in pieces)
    everything = await session.gather(capsules, 1.0)
    got = {}
    for value in everything.all(wire.STREAM):
        segment = wire.Stream.decode(value)
        got |= {segment.offset + i: octet for i, octet in enumerate(segment.octets)}
    check(bytes(got[i] for i in sorted(got)) == b"0123456789", f"{got}")
    check(max(wire.Ack.decode(v).offset for v in everything.all(wire.ACK)) == 11, "the end is not acknowledged")


async def probe_contradicting_final_size_resets_the_channel(client: Client) -> None:
    session = await Link(client).begin()
    capsules = opening(2, wire.KIND_STREAM, "half") + wire.Stream(2, 0, b"abc", False).encode()
    capsules += wire.Stream(2, 5, b"", True).encode() + wire.Stream(2, 0, b"abcdefgh", False).encode()
    reset = wire.Reset.decode(await session.poll_until(wire.RESET, capsules))
    check((reset.channel, reset.code) == (2, wire.PROTOCOL), f"{reset}")


async def probe_bytes_beyond_the_limit(client: Client) -> None:
    session = await Link(client).begin()
    limit = session.welcome.parameters.get(wire.P_CHANNEL_WINDOW, 262_144)
    await session.poll_until(wire.OPENED, opening(2, wire.KIND_STREAM, "half"))
    number = session.number
    everything = await session.gather(wire.Stream(2, limit, b"x", False).encode(), 0.5)
    check(not covers(everything, number), "receipted")
    check(wire.Reset.decode(everything.all(wire.RESET)[0]).code == wire.PROTOCOL, "code")


async def probe_close_is_answered_by_reset(client: Client) -> None:
    session = await Link(client).begin()
    await session.poll_until(wire.OPENED, opening(2, wire.KIND_STREAM, "sig"))
    reset = wire.Reset.decode(await session.poll_until(wire.RESET, wire.Close(2, wire.LOCAL_RESET).encode()))
    check((reset.channel, reset.final) == (2, 0), f"{reset}")


async def probe_reset_is_acknowledged_with_final_plus_1(client: Client) -> None:
    session = await Link(client).begin()
    await session.poll_until(wire.OPENED, opening(2, wire.KIND_STREAM, "half"))
    capsules = wire.Stream(2, 0, b"abc", False).encode() + wire.Reset(2, wire.LOCAL_RESET, 10).encode()
    everything = await session.gather(capsules, 0.6)
    check(max(wire.Ack.decode(v).offset for v in everything.all(wire.ACK)) == 11, "ACK")


async def probe_datagrams_are_delivered_once(client: Client) -> None:
    session = await Link(client).begin()
    await session.poll_until(wire.OPENED, opening(2, wire.KIND_DATAGRAM, "rtp", {wire.P_DEADLINE: 5_000}))
    one = [wire.Datagram.encode(2, 0, form, 10, b"one") for form in range(4)]
    two = wire.Datagram.encode(2, 1, 1, 0, b"")
    everything = await session.gather(one[0] + one[1] + two, 0.1)
    for octets in (one[2], one[3], two):
        everything.capsules += (await session.gather(octets, 0.2)).capsules
    payloads = sorted(wire.Datagram.decode(v).payload for v in everything.all(wire.DATAGRAM))
    check(payloads == [b"", b"one"], f"{payloads}")


async def probe_datagram_beyond_its_deadline_is_dropped(client: Client) -> None:
    session = await Link(client).begin()
    await session.poll_until(wire.OPENED, opening(2, wire.KIND_DATAGRAM, "rtp", {wire.P_DEADLINE: 500}))
    late = wire.Datagram.encode(2, 0, 3, 900, b"late") + wire.Datagram.encode(2, 1, 0, 0, b"in time")
    everything = await session.gather(late, 0.5)
    check([wire.Datagram.decode(v).payload for v in everything.all(wire.DATAGRAM)] == [b"in time"], "deadline")


async def probe_lost_reliable_capsules_come_again(client: Client) -> None:
    """Nothing is receipted by us, so OPENED must come again by probe time-outs, each time in a new record."""
    session = await Link(client).begin()
    everything = await session.gather(opening(2, wire.KIND_DATAGRAM, "rtp"), 3.5)
    check(len(everything.all(wire.OPENED)) >= 2, f"{len(everything.all(wire.OPENED))} OPENED")


async def probe_same_x_again_sends_the_answer_again(client: Client) -> None:
    session = await Link(client).begin()
    query, body = session.query("poll", "&hold=1000"), session.record(opening(2, wire.KIND_DATAGRAM, "rtp"))
    for _ in range(2):
        begun = time.monotonic()
        (await client.send(session.sid, query, body)).parse().one(wire.OPENED)
        check(time.monotonic() - begun < 0.7, "late")
