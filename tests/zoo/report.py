#!/usr/bin/python3
"""Rows of the zoo's matrix.

    report.py row --dir DIR --kind KIND ...   one row as JSON, from what row.sh left in DIR
    report.py doctor --row FILE --said FILE   the row with what the doctor said of the same proxy
    report.py table FILE...                   the matrix; status 1: a row is not as it should be
    report.py json FILE...                    all rows as one JSON array
"""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import verdict  # noqa: E402


def last_json(path):
    try:
        with open(path) as f:
            return json.loads([line for line in f.read().splitlines() if line.startswith("{")][-1])
    except (OSError, IndexError, ValueError):
        return None


def words(path):
    try:
        with open(path) as f:
            return f.read().strip()
    except OSError:
        return ""


def mode_complaints(row):
    """Was the proxy used in the way that the row says?"""
    if row["mode"] == "connect":
        if not row["tunnels"]:
            yield "no tunnel in the proxy's log"
        if row["exchanges"]:
            yield "%d exchanges that the proxy saw into" % row["exchanges"]
        return
    if row["tunnels"]:
        yield "%d tunnels that the proxy did not look into" % row["tunnels"]
    if not row["exchanges"]:
        yield "no exchange in the proxy's log"
    if row["mode"] in ("intercepted", "absolute") and not row["connects"]:
        yield "no CONNECT in the proxy's log"
    if row["mode"] == "reverse" and row["connects"]:
        yield "%d CONNECTs at a reverse proxy" % row["connects"]


def call_complaints(call, options):
    if not call:
        yield "no result of the call"
        return
    for way in ("up", "down"):
        d = call[way]
        if not d["received"]:
            yield "no packet came %s" % way
        if d["lost"] > options.may_lose:
            yield "%d of %d packets lost %s" % (d["lost"], d["sent"], way)
        if d["duplicate"] or d["foreign"]:
            yield "%d duplicate, %d foreign packets %s" % (d["duplicate"], d["foreign"], way)
        if d["late150_pct"] > options.may_be_late:
            yield "%.1f %% late %s" % (d["late150_pct"], way)


def path_complaints(row, options):
    if row["rung"] not in options.rungs.split(","):
        yield "rung %s instead of %s" % (row["rung"], options.rungs)
    rest = 5 if row["rung"] == "websocket" else 0  # it is left alone for so long before it is believed
    if row["rung_ms"] is not None and row["rung_ms"] > (options.best_s + rest) * 1000:
        yield "the best rung was found after %.1f s" % (row["rung_ms"] / 1000)
    if options.http_wanted and row["http"] != options.http_wanted:
        yield "HTTP/%s instead of HTTP/%s" % (row["http"] or "?", options.http_wanted)
    if row["cuts_made"] < options.cuts_wanted:
        yield "the proxy cut %d connections, not %d" % (row["cuts_made"], options.cuts_wanted)


def figures(call):
    """The worse of both ways."""
    if not call or any("p50_ms" not in call[way] for way in ("up", "down")):
        return {}
    both = {key: max(call["up"][key], call["down"][key]) for key in ("p50_ms", "p99_ms", "gap_ms", "late150_pct")}
    return {"p50_ms": both["p50_ms"], "p99_ms": both["p99_ms"], "gap_ms": both["gap_ms"], "late_pct": both["late150_pct"],
            "lost": call["up"]["lost"] + call["down"]["lost"]}


def make_row(options):
    def file(name):
        return os.path.join(options.dir, name)
    call, signalling, first, status, peer = (last_json(file(n)) for n in
                                             ("call.json", "signalling.out", "first.out", "status.json", "engineio.json"))
    path = (status or {}).get("path") or {}
    row = {"proxy": options.kind, "mode": options.mode, "rung": path.get("rung"), "why": path.get("why"), "rung_ms": path.get("rung_after_ms"),
           "connected_ms": path.get("connected_after_ms"), "changes": path.get("changes"), "stalls": path.get("stalls"),
           "cuts_learned": path.get("cuts"), "cuts_made": options.cuts_made, "http": options.http,
           "first_ms": (first or {}).get("first_ms"),
           "call": call, "signalling": signalling, "engine_io": peer}
    counts = words(file("counts")).split() or ["0"] * 3
    row.update(zip(("connects", "tunnels", "exchanges"), map(int, counts)))
    row.update(figures(call))
    complaints = [words(file("complaint"))] if words(file("complaint")) else []
    if not first:
        complaints.append("no first packet")
    if not status:
        complaints.append("no status: " + words(file("status.err"))[-200:])
    if not signalling or not signalling["intact"]:
        complaints.append("signalling not intact")
    complaints += list(mode_complaints(row)) + list(call_complaints(call, options)) + list(path_complaints(row, options))
    if peer and "p50_ms" in row and row["p50_ms"] > peer["p50_ms"]:
        complaints.append("p50 %.1f ms, engine.io %.1f ms" % (row["p50_ms"], peer["p50_ms"]))
    row["complaints"], row["ok"] = complaints, not complaints
    print(json.dumps(row))


def add_doctor(options):
    row, said = last_json(options.row), last_json(options.said)
    row["doctor"] = said
    row["complaints"] += verdict.complaints(said, options.mode, options.rungs, options.known)
    row["ok"] = not row["complaints"]
    with open(options.row, "w") as f:
        print(json.dumps(row), file=f)


HEAD = ("proxy", "mode", "HTTP", "rung", "first ms", "best ms", "p50 ms", "p99 ms", "late %", "lost", "gap ms", "signalling", "cuts",
        "engine.io p50", "doctor", "")
LEFT = (0, 1, 2, 3, 11, 14, 15)


def columns(row):
    def number(key, form):
        return form % row[key] if row.get(key) is not None else "?"
    s = row["signalling"]
    bytes_ = "%d, intact" % s["received"] if s and s["intact"] else "NOT intact"
    return (row["proxy"], row["mode"], row.get("http") or "-", row["rung"] or "?", number("first_ms", "%.0f"), number("rung_ms", "%.0f"), number("p50_ms", "%.1f"),
            number("p99_ms", "%.1f"), number("late_pct", "%.1f"), number("lost", "%d"), number("gap_ms", "%.0f"), bytes_, "%d" % row["cuts_made"],
            "%.1f" % row["engine_io"]["p50_ms"] if row["engine_io"] else "-",
            verdict.in_short(row["doctor"]) if "doctor" in row else "-", "ok" if row["ok"] else "FAILED")


def table(rows):
    lines = [HEAD] + [columns(r) for r in rows]
    width = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    for number, line in enumerate(lines):
        print("  " + "  ".join(t.ljust(w) if i in LEFT else t.rjust(w) for i, (t, w) in enumerate(zip(line, width))).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * w for w in width))
    bad = [r for r in rows if not r["ok"]]
    for r in bad:
        print("  %s: %s" % (r["proxy"], "; ".join(r["complaints"])))
    print("zoo: %d passed, %d failed" % (len(rows) - len(bad), len(bad)))
    return not bad


def load(paths):
    rows = []
    for path in paths:
        with open(path) as f:
            rows.append(json.load(f))
    return rows


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = a.add_subparsers(dest="verb", required=True)
    r = verbs.add_parser("row")
    r.add_argument("--dir", required=True)
    r.add_argument("--kind", required=True)
    r.add_argument("--mode", required=True)
    r.add_argument("--rungs", required=True, help="those that are right, with commas")
    r.add_argument("--best-s", type=float, default=5, help="the best rung is found within")
    r.add_argument("--http", default="", help="versions that the proxy saw, where its log tells")
    r.add_argument("--http-wanted", default="")
    r.add_argument("--cuts-made", type=int, default=0)
    r.add_argument("--cuts-wanted", type=int, default=0)
    r.add_argument("--may-lose", type=int, default=0, help="packets each way")
    r.add_argument("--may-be-late", type=float, default=2, help="percent")
    d = verbs.add_parser("doctor")
    d.add_argument("--row", required=True)
    d.add_argument("--said", required=True)
    d.add_argument("--mode", required=True)
    d.add_argument("--rungs", required=True)
    d.add_argument("--known", default="", help="see verdict.py")
    for verb in ("table", "json"):
        verbs.add_parser(verb).add_argument("files", nargs="+")
    options = a.parse_args()
    if options.verb == "row":
        make_row(options)
    elif options.verb == "doctor":
        add_doctor(options)
    elif options.verb == "json":
        print(json.dumps(load(options.files), indent=1))
    else:
        sys.exit(0 if table(load(options.files)) else 1)


if __name__ == "__main__":
    main()
