#!/usr/bin/python3
"""report: what run.py measured, as a table and as JSON; the exit status tells whether what must hold does.

    report.py [-o FILE] RESULT...

Each figure is the median of the repeats' own. Must hold, where the paths are there: see MUST.
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
    if options.out:
        with open(options.out, "w", encoding="utf-8") as f:
            json.dump(everything, f, indent=1)


if __name__ == "__main__":
    sys.exit(main())
