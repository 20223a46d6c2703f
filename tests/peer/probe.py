#!/usr/bin/python3
"""Hand-made exchanges against any server: what PROTOCOL.md says about single requests, one probe for each statement.

    probe.py --server https://127.0.0.1:PORT/culvert --cafile F --token-file F [NAME...]

The token file names two identities; the server has the services rtp (UDP echo), sig (TCP echo) and half (TCP, answers
after the end).  Prints `ok NAME` or `not ok NAME reason` for each probe.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import probe_channels   # noqa: E402
import probe_modes      # noqa: E402
import probe_probes     # noqa: E402
import probe_records    # noqa: E402
import probe_requests   # noqa: E402
import probe_websocket  # noqa: E402
from client import Client, Failed   # noqa: E402

SUBJECTS = (probe_requests, probe_modes, probe_probes, probe_records, probe_channels, probe_websocket)


async def run(arguments: argparse.Namespace) -> int:
    client, failures = Client(arguments), 0
    probes = {name[6:]: work for subject in SUBJECTS for name, work in vars(subject).items()
              if name.startswith("probe_")}
    for name in arguments.names or probes:
        try:
            await asyncio.wait_for(probes[name](client), 30.0)
            print("ok", name, flush=True)
        except Exception as error:   # each probe by itself
            failures += 1
            print("not ok", name, error if isinstance(error, Failed) else repr(error), flush=True)
            if arguments.verbose:
                traceback.print_exc()
    return failures


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--server", "--cafile", "--token-file"):
        parser.add_argument(name, required=True)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("names", nargs="*")
    sys.exit(1 if asyncio.run(run(parser.parse_args())) else 0)


if __name__ == "__main__":
    main()
