#!/usr/bin/python3
"""good.py FILE [NAME=LIMIT ...]: is the last report in it that of a good call? Says what is not.

Limits: concealed (% of audio, 5), freeze (ms, the longest; 2000), gap (ms without a packet of audio; 1000), lost (% of packets; 3), first (ms to the
first frame; 15000), by (how it goes; relay/). To the
gap is added what the page itself was held up (hidden_ms): then so was the rest of the machine.
"""
import json
import sys

LIMITS = {"concealed": 5.0, "freeze": 2000.0, "gap": 1000.0, "lost": 3.0, "first": 15000.0, "by": "relay/"}


def wrong(name, r, limit):
    sends, receives = name != "receives", name != "sends"
    seconds = r["seconds"]
    for kind, least in (("audio", 40), ("video", 10)):
        k = r[kind]
        if sends and k["sent"] < least * seconds:
            yield "%s: only %d packets sent in %g s" % (kind, k["sent"], seconds)
        if receives and k["received"] < least * seconds:
            yield "%s: only %d packets received in %g s" % (kind, k["received"], seconds)
        if receives and k["lost"] * 100 > limit["lost"] * (k["received"] + k["lost"]):
            yield "%s: %d of %d packets lost" % (kind, k["lost"], k["received"] + k["lost"])
    if [s for _, s in r["ice"] if s in ("disconnected", "failed")]:
        yield "ICE was interrupted: %s" % r["ice"]
    if not (r["by"] or "").startswith(limit["by"]):
        yield "not by %s but by %s" % (limit["by"], r["by"])
    if not receives:
        return
    if r["video"]["decoded"] < 5 * seconds:
        yield "only %d frames decoded" % r["video"]["decoded"]
    if not 0 < r["first_frame_ms"] <= limit["first"]:
        yield "first frame after %s ms" % r["first_frame_ms"]
    if r["video"]["freeze_ms"] > limit["freeze"]:
        yield "frozen for %d ms" % r["video"]["freeze_ms"]
    if r["audio"]["gap_ms"] > limit["gap"] + r["hidden_ms"]: # a machine that holds up the page holds up its sound
        yield "no audio for %d ms" % r["audio"]["gap_ms"]
    if r["audio"]["concealed_pct"] > limit["concealed"]:
        yield "%s %% of audio concealed" % r["audio"]["concealed_pct"]


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        report = json.loads(f.read().splitlines()[-1])
    limit = {**LIMITS, **{k: type(LIMITS[k])(v) for k, v in (a.split("=") for a in " ".join(sys.argv[2:]).split())}}
    complaints = ["%s: %s" % (name, w) for name, r in report.items() for w in wrong(name, r, limit)]
    print("\n".join(complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
