#!/usr/bin/python3
"""report: what run.py measured, as a table and as JSON; the exit status tells whether what must hold does.

    report.py [-o FILE] RESULT...

Each figure is the median of the repeats' own. up and down: ms that a message takes one way, both ends sending at random times;
answer: ms to the answer of a message; .../s: messages of 1 KB a second, as fast as they are taken one way, and with 16 answers outstanding.
What must hold is in musts(), what was wished for and does not in wishes(): that is told, but fails nothing.
"""
import argparse
import json
import statistics
import sys


def percentile(values, p):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * p // 100)] if ordered else None


def medians(measured, take):
    """Of each repeat in which it was measured."""
    values = [v for v in (take(m) for m in measured) if v is not None]
    return round(statistics.median(values), 2) if values else None


def ms(what, way, p):
    return lambda m: percentile(m[what][way], p) if what in m else None


def rate(what):
    return lambda m: m[what]["per_second"] if what in m else None


COLUMNS = [
    ("up p50", ms("latency", "up", 50)), ("up p99", ms("latency", "up", 99)),
    ("down p50", ms("latency", "down", 50)), ("down p99", ms("latency", "down", 99)),
    ("answer p50", lambda m: percentile(m["echo"]["ms"] if "echo" in m else m.get("ms", []), 50)),
    ("answer p99", lambda m: percentile(m["echo"]["ms"] if "echo" in m else m.get("ms", []), 99)),
    ("up/s", rate("flood")), ("down/s", rate("flooded")),
    ("answers/s", lambda m: m["window"]["per_second"] if "window" in m else m.get("per_second")),
]


def summary(result):
    """{"exchange": ms, "systems": {name: {column: value}}}"""
    systems = {}
    for name, measured in result["systems"].items():
        systems[name] = {column: medians(measured, take) for column, take in COLUMNS}
        systems[name]["transport"] = next((m["transport"] for m in reversed(measured) if "transport" in m), "")
        systems[name]["failed"] = sum("error" in m for m in measured)
    return {"exchange": medians(result["exchange"], lambda m: percentile(m, 50)), "systems": systems}


def shown(value):
    return "-" if value is None else "%.0f" % value if value >= 100 else "%.1f" % value


def table(path, s):
    print("\n%s: one exchange %s ms" % (path, shown(s["exchange"])))
    print("%-18s %-14s" % ("", "transport") + "".join("%11s" % column for column, _ in COLUMNS) + "  failed")
    for name, row in s["systems"].items():
        print("%-18s %-14s" % (name, row["transport"]) + "".join("%11s" % shown(row[column]) for column, _ in COLUMNS) + "%8d" % row["failed"])


OURS, THEIRS = "culvert-poll", ("engine.io", "sockjs-polling")


def at_most(path, s, column, limit, what):
    value = s["systems"].get(OURS, {}).get(column)
    if value is None or limit is None:
        return "%s: %s was not measured" % (path, column), False
    return "%s: %s %s is %s ms, at most %s (%s)" % (path, OURS, column, shown(value), shown(limit), what), value <= limit


def theirs(s, column, best):
    values = [s["systems"][name][column] for name in THEIRS if s["systems"].get(name, {}).get(column) is not None]
    return best(values) if values else None


def musts(path, s):
    """(what, whether it holds)..."""
    if not path.startswith("storefwd") or OURS not in s["systems"]:
        return []
    limit = s["exchange"] and 1.2 * s["exchange"]
    both = [at_most(path, s, "%s p50" % way, limit, "1.2 exchanges") for way in ("up", "down")]
    if "+" in path:
        both.append(at_most(path, s, "up p50", theirs(s, "up p50", min), "the better of theirs"))
        both.append(at_most(path, s, "down p50", s["systems"].get(THEIRS[0], {}).get("down p50"), THEIRS[0]))
    failed = sum(row["failed"] for name, row in s["systems"].items() if name.startswith(("culvert", "janus-culvert")))
    return both + [("%s: all of ours was measured (%d failed)" % (path, failed), failed == 0)]


def wishes(path, s):
    """Less delay than the better of theirs, and five times their messages a second."""
    if not path.startswith("storefwd") or OURS not in s["systems"]:
        return []
    told = [at_most(path, s, "%s p50" % way, theirs(s, "%s p50" % way, min), "the better of theirs") for way in ("up", "down")]
    for column in ("up/s", "down/s", "answers/s"):
        ours, best = s["systems"][OURS][column], theirs(s, column, max)
        if ours and best:
            told.append(("%s: %s %s is %.1f times the best of theirs, wished for 5" % (path, OURS, column, ours / best), ours >= 5 * best))
    return told


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("-o", "--out")
    a.add_argument("results", nargs="+")
    options = a.parse_args()
    everything = {}
    for name in options.results:
        with open(name, encoding="utf-8") as f:
            result = json.load(f)
        everything[result["path"]] = {**summary(result), "measured": result}
    for path, s in everything.items():
        table(path, s)
    print()
    holds = True
    for path, s in everything.items():
        for what, yes in musts(path, s):
            holds = holds and yes
            print("%s  %s" % ("holds " if yes else "FAILED", what))
        for what, yes in wishes(path, s):
            print("%s  %s" % ("holds " if yes else "no    ", what))
    if options.out:
        with open(options.out, "w", encoding="utf-8") as f:
            json.dump(everything, f, indent=1)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
