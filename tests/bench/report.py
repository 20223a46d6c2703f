"""Results of the benchmark: report.py head | row FILE (its last line) | json FILE. FILE has a line of rtpload for each
cell, labelled NET.RUNG.CALLS."""
import json
import os
import platform
import sys
import time

COLUMNS = (("net", 12), ("rung", 7), ("calls", 5), ("lost %", 7), ("p50 ms", 8), ("p99 ms", 8), ("p99.9", 8), (">60 ms %", 8),
           ("helper us", 9), ("server us", 9), ("helper MB", 9), ("server MB", 9))


def cells(path):
    with open(path) as f:
        for line in f:
            cell = json.loads(line)
            net, cell["rung"], calls = cell.pop("label").split(".")
            cell["net"] = "loopback" if net == "loopback" else "25 ms, %s %%" % net
            yield cell


def worse(cell, key):
    return max(cell[way].get(key, float("inf")) for way in ("up", "down"))


def row(cell):
    lost = sum(cell[way]["lost"] for way in ("up", "down")) / max(sum(cell[way]["sent"] for way in ("up", "down")), 1)
    out = [cell["net"], cell["rung"], "%d" % cell["calls"], "%.2f" % (100 * lost)]
    out += ["%.2f" % worse(cell, key) for key in ("p50_ms", "p99_ms", "p999_ms", "late60_pct")]
    out += ["%.1f" % p["cpu_us_per_packet"] for p in cell["processes"]] or ["-", "-"]
    out += ["%.1f" % (p["rss_kb"] / 1024) for p in cell["processes"]] or ["-", "-"]
    return out


def show(texts):
    print(" ".join(t.ljust(w) if i < 2 else t.rjust(w) for i, (t, (_, w)) in enumerate(zip(texts, COLUMNS))), flush=True)


def main():
    if sys.argv[1] == "head":
        print("One-way delays, the worse direction; us: CPU of a process per packet that arrived, both directions counted.")
        show([name for name, _ in COLUMNS])
    elif sys.argv[1] == "row":
        show(row(list(cells(sys.argv[2]))[-1]))
    else:
        json.dump({"format": 1, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "kernel": platform.release(),
                   "processors": os.cpu_count(), "cells": list(cells(sys.argv[2]))}, sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()
