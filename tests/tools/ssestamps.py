#!/usr/bin/python3
"""ssestamps FILE: the event stream in FILE becomes a line for each event: MS EVENT ID DATA, with milliseconds since it was there
and the data as JSON; comments are "MS : - LENGTH". Reads as browsers do. The first line, before FILE is opened, is "ready"."""
import json
import sys
import time

print("ready", flush=True)
stream = open(sys.argv[1], "rb", buffering=0)
began, buffer, event, data, last = time.monotonic(), b"", "message", None, "-"


def say(*words):
    print(int((time.monotonic() - began) * 1000), *words, flush=True)


while True:
    piece = stream.read(65536)
    if not piece:
        break
    buffer += piece
    while b"\n" in buffer:
        line, buffer = buffer.split(b"\n", 1)
        name, _, value = line.decode().partition(":")
        value = value[1:] if value.startswith(" ") else value
        if not line:
            if data is not None:
                say(event, last, json.dumps(data))
            event, data = "message", None
        elif not name:
            say(":", "-", len(line))
        elif name == "event":
            event = value
        elif name == "id":
            last = value
        elif name == "data":
            data = value if data is None else data + "\n" + value
