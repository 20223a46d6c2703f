#!/usr/bin/python3
"""A second implementation of the Culvert protocol, written from framing/PROTOCOL.md alone, for tests.

    culvert_peer.py helper --server https://127.0.0.1:PORT/culvert --cafile F --token-file F --rung RUNG
                           [--udp LOCALPORT=service[:index]]... [--tcp LOCALPORT=service]...
    culvert_peer.py server --listen 127.0.0.1:0 --cert F --key F --token-file F
                           [--service rtp=udp://127.0.0.1:PORT[-PORT]]... [--service sig=tcp://127.0.0.1:PORT]...

Standard library only, but for WebSockets: python3-websockets.  Lines `ready ...` go to standard output, remarks to standard error.  SIGTERM ends it in order;
SIGUSR1 makes a server send GOAWAY.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import auth          # noqa: E402
import helper        # noqa: E402
import http1         # noqa: E402
import server        # noqa: E402
import wire          # noqa: E402
from helper_carriers import RUNGS       # noqa: E402
from server_session import Service      # noqa: E402
from session import Settings            # noqa: E402

SERVICE = re.compile(r"([a-z0-9._-]{1,64})=(udp|tcp)://([0-9.]+):([0-9]+)(?:-([0-9]+))?\Z")
UDP = re.compile(r"([0-9]+)=([a-z0-9._-]{1,64})(?::([0-9]+))?\Z")


def parse_service(text: str) -> tuple[str, Service]:
    matched = SERVICE.match(text)
    if not matched:
        raise argparse.ArgumentTypeError(f"not NAME=udp|tcp://HOST:PORT[-PORT]: {text}")
    name, scheme, host, first, last = matched.groups()
    kind = wire.KIND_DATAGRAM if scheme == "udp" else wire.KIND_STREAM
    return name, Service(kind, host, int(first), int(last or first))


def parse_udp(text: str) -> tuple[int, str, int]:
    matched = UDP.match(text)
    if not matched:
        raise argparse.ArgumentTypeError(f"not LOCALPORT=service[:index]: {text}")
    return int(matched.group(1)), matched.group(2), int(matched.group(3) or 0)


def parse_tcp(text: str) -> tuple[int, str]:
    port, service, _ = parse_udp(text)
    return port, service


def parse_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--lose-every", type=int, default=0, metavar="N",
                        help="do not use (helper) or send (server) the answer of every Nth exchange")
    parser.add_argument("--split-bytes", type=int, default=0, metavar="N", help="write bodies in pieces of N octets")
    parser.add_argument("--long-varints", action="store_true", help="encode every varint in 8 octets")
    parser.add_argument("--shuffle", action="store_true", help="one capsule a record, in random order")
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--session-window", type=int, default=1_048_576)
    parser.add_argument("--channel-window", type=int, default=262_144)
    parser.add_argument("--deadline", type=int, default=2_000, metavar="MS")
    parser.add_argument("--verbose", action="store_true")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Culvert test peer")
    roles = parser.add_subparsers(dest="role", required=True)
    one = roles.add_parser("helper")
    one.add_argument("--server", required=True)
    one.add_argument("--cafile", required=True)
    one.add_argument("--rung", required=True, choices=sorted(RUNGS))
    one.add_argument("--udp", action="append", default=[], type=parse_udp)
    one.add_argument("--tcp", action="append", default=[], type=parse_tcp)
    one.add_argument("--keepalive", type=int, default=8_000, metavar="MS")
    one.add_argument("--hold", type=int, default=20_000, metavar="MS")
    one.add_argument("--held", type=int, default=2, metavar="K", help="the k of polls")
    one.add_argument("--carriers", type=int, default=0, help="default 1, with --shuffle 3")
    one.add_argument("--prove", action="store_true", help="send two MARKs on every carrier")
    add_common(one)
    two = roles.add_parser("server")
    two.add_argument("--listen", required=True, type=parse_address)
    two.add_argument("--cert", required=True)
    two.add_argument("--key", required=True)
    two.add_argument("--base", default="/culvert")
    two.add_argument("--clock", type=float, default=0.0, metavar="SECONDS", help="how far the clock is off")
    two.add_argument("--service", action="append", default=[], type=parse_service)
    add_common(two)
    return parser.parse_args()


def settings_of(arguments: argparse.Namespace) -> Settings:
    return Settings(channels=arguments.channels, session_window=arguments.session_window,
                    channel_window=arguments.channel_window, keepalive=getattr(arguments, "keepalive", 8_000),
                    deadline=arguments.deadline, split=arguments.split_bytes, lose_every=arguments.lose_every,
                    shuffle=arguments.shuffle, verbose=arguments.verbose)


async def run_helper(arguments: argparse.Namespace) -> None:
    carriers = arguments.carriers or (3 if arguments.shuffle else 1)
    options = helper.Options(arguments.server, arguments.cafile, arguments.token_file, arguments.rung,
                             settings_of(arguments), arguments.hold, arguments.held, carriers, arguments.prove)
    one = helper.Helper(options, arguments.udp, arguments.tcp)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, one.stopping.set)
    await one.run()


async def run_server(arguments: argparse.Namespace) -> None:
    two = server.Server(auth.read_token_file(arguments.token_file), dict(arguments.service), arguments.base,
                        settings_of(arguments), arguments.clock)
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGUSR1, two.go_away)
    tls = server.make_tls(arguments.cert, arguments.key)
    listener = await asyncio.start_server(two.on_connection, *arguments.listen, ssl=tls, limit=http1.STREAM_LIMIT)
    host, port = listener.sockets[0].getsockname()[:2]
    print(f"ready https {host}:{port} culvertd", flush=True)
    await stopping.wait()
    listener.close()
    await two.shut_down()


def main() -> None:
    arguments = parse_arguments()
    logging.getLogger("asyncio").setLevel(logging.ERROR)   # no remarks about writes to connections that are gone
    wire.use_long_varints(arguments.long_varints)
    asyncio.run(run_helper(arguments) if arguments.role == "helper" else run_server(arguments))


if __name__ == "__main__":
    main()
