"""Results of the demo's cells.

    cell.py result DIR NAME PROXY RUNG "CONNECTS TUNNELS EXCHANGES" WHY KIND   one cell as JSON
    cell.py line FILE                                                       one cell as a line of text; status 1: failed
    cell.py table FILE...                                                   the table; status 1: a cell failed
"""
import json
import os
import re
import sys

INTERCEPTING = ("squid-bump", "mitmproxy", "storefwd", "nginx-front")
BEST = {"mitmproxy": "poll|websocket", "storefwd": "poll", "mitmproxy-abs": "poll", "storefwd-abs": "poll", "tinyproxy-abs": "split"}  # the others: duplex


def last_json(path):
    try:
        with open(path) as f:
            return json.loads(f.read().splitlines()[-1])
    except (OSError, IndexError, ValueError):
        return None


def chosen(path):
    """The rung that the helper says it ended on."""
    with open(path + ".err") as f:
        said = re.findall(r"(?:carried|connected to \S+ as \S+) by ([\w+]+)", f.read())
    return said[-1] if said else "none"


def looks_into(cell):
    return cell["kind"] in INTERCEPTING or cell["kind"].endswith("-abs")


def complaints(cell, voice, load, signalling):
    """Everything that is not as it should be on a clean path."""
    out = []
    best = BEST.get(cell["kind"], "duplex")
    for what, data in (("call", voice), ("load", load)):
        if not data:
            out.append("%s: no result" % what)
            continue
        for direction in ("up", "down"):
            d = data[direction]
            if d["lost"]:
                out.append("%s: %d of %d packets lost %s" % (what, d["lost"], d["sent"], direction))
            if not d["sent"]:
                out.append("%s: nothing was sent %s" % (what, direction))
            if d["duplicate"] or d["foreign"]:
                out.append("%s: %d duplicate, %d foreign packets %s" % (what, d["duplicate"], d["foreign"], direction))
            if not d.get("tone", {"ok": True})["ok"]:
                out.append("tone %s: %s" % (direction, d["tone"]["why"]))
    if not signalling or not signalling["intact"]:
        out.append("signalling not intact")
    if looks_into(cell) and cell["tunnels"]:
        out.append("%d tunnels that the proxy did not look into" % cell["tunnels"])
    if looks_into(cell) and not cell["exchanges"]:
        out.append("no exchange in the proxy's log")
    if "chosen" in cell and cell["chosen"] not in best.split("|"):
        out.append("the rung chosen was %s, not %s" % (cell["chosen"], best))
    if not looks_into(cell) and cell["kind"] != "direct" and not cell["tunnels"]:
        out.append("no tunnel in the proxy's log")
    return out


def result(directory, name, proxy, rung, counts, why, kind):
    path = os.path.join(directory, name)
    voice, load, signalling = (last_json(path + end) for end in (".voice", ".load", ".signalling.out"))
    cell = {"name": name, "proxy": proxy, "rung": rung, "kind": kind}
    if rung == "auto":
        cell["chosen"] = chosen(path)
    cell.update(zip(("connects", "tunnels", "exchanges"), map(int, counts.split())))
    cell["complaints"] = [why] if why else complaints(cell, voice, load, signalling)
    if voice:
        for what in ("sent", "received", "lost"):
            cell[what] = voice["up"][what] + voice["down"][what]
        cell["tone"] = voice["up"]["tone"]["ok"] and voice["down"]["tone"]["ok"]
    if load and "p50_ms" in load["up"] and "p50_ms" in load["down"]:
        cell["p50_ms"] = max(load["up"]["p50_ms"], load["down"]["p50_ms"])
        cell["p99_ms"] = max(load["up"]["p99_ms"], load["down"]["p99_ms"])
        cell["late_pct"] = max(load["up"]["late150_pct"], load["down"]["late150_pct"])
        cell["load_lost"] = load["up"]["lost"] + load["down"]["lost"]
    cell["signalling_bytes"] = signalling["received"] if signalling else 0
    cell["intact"] = bool(signalling and signalling["intact"])
    cell["ok"] = not cell["complaints"]
    print(json.dumps(cell))


def seen_by_proxy(cell):
    if cell["kind"] == "direct":
        return "-"
    if cell["exchanges"] or looks_into(cell):
        return "%d" % cell["exchanges"]
    return "%d (+%d CONNECT)" % (cell["exchanges"], cell["tunnels"])


def columns(cell):
    if cell.get("impossible"):
        return [cell["proxy"], cell["rung"], "- " + cell["impossible"]]

    def number(key, form="%g"):
        return form % cell[key] if key in cell else "?"
    intact = "%d, intact" % cell["signalling_bytes"] if cell["intact"] else "NOT intact"
    rung = "%s: %s" % (cell["rung"], cell["chosen"]) if "chosen" in cell else cell["rung"]
    return [cell["proxy"], rung, seen_by_proxy(cell), number("sent", "%d"), number("received", "%d"), number("lost", "%d"),
            number("p50_ms", "%.1f"), number("p99_ms", "%.1f"), number("late_pct", "%.1f"), intact,
            "kept" if cell.get("tone") else "BROKEN", "ok" if cell["ok"] else "FAILED"]


def line(path):
    with open(path) as f:
        cell = json.load(f)
    if cell["ok"]:
        print("ok: %d packets, none lost; one-way delay p50 %.1f ms, p99 %.1f ms; tone kept, signalling intact"
              % (cell["received"], cell["p50_ms"], cell["p99_ms"]))
    else:
        print("FAILED: " + "; ".join(cell["complaints"]))
    return cell["ok"]


HEAD = ["proxy", "rung", "exchanges", "sent", "received", "lost", "p50 ms", "p99 ms", "late %", "signalling bytes", "tone", ""]


def table(paths):
    cells = []
    for path in paths:
        with open(path) as f:
            cells.append(json.load(f))
    rows = [HEAD] + [columns(c) for c in cells]
    whole = [r for r in rows if len(r) == len(HEAD)]
    width = [max(len(r[i]) for r in whole) for i in range(len(HEAD))]
    width[:2] = [max(len(r[i]) for r in rows) for i in range(2)]
    for number, row in enumerate(rows):
        left = (0, 1, 9, 10, 11)
        cut = [text.ljust(width[i]) if i in left or len(row) < len(HEAD) else text.rjust(width[i]) for i, text in enumerate(row)]
        print("  " + "  ".join(cut).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * w for w in width).rstrip())
    return all(c.get("impossible") or c["ok"] for c in cells)


if __name__ == "__main__":
    verb, args = sys.argv[1], sys.argv[2:]
    if verb == "result":
        result(*args)
    else:
        sys.exit(0 if (line(args[0]) if verb == "line" else table(args)) else 1)
