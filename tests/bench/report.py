"""The benchmark's report: report.py DIR FILE PROFILE SECONDS REPEATS JOBS. Prints a table of all cells and one of the goals, writes FILE
(JSON) and in DIR a plot of the delays of each link and load (NET.LOAD.svg)."""
import json
import os
import platform
import socket
import sys
import time

import goals
import plot
import results

TCP_NOTSENT_LOWAT, TCP_RTO_MIN_US = 25, 44


def takes(option, value):
    """Does this kernel's TCP know an option?"""
    sock = socket.socket()
    try:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
        return True
    except OSError:
        return False
    finally:
        sock.close()


def congestion_default():
    sock = socket.socket()
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()
    finally:
        sock.close()


def machine():
    return {"kernel": platform.release(), "processors": os.cpu_count(), "load": os.getloadavg()[0],
            "TCP_RTO_MIN_US": takes(TCP_RTO_MIN_US, 20000), "TCP_NOTSENT_LOWAT": takes(TCP_NOTSENT_LOWAT, 4096),
            "bbr": takes(socket.TCP_CONGESTION, b"bbr"), "congestion": congestion_default()}


def show(head, rows, left):
    rows = [head] + [[str(text) for text in row] for row in rows]
    width = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for number, row in enumerate(rows):
        print("  ".join(t.ljust(width[i]) if i in left else t.rjust(width[i]) for i, t in enumerate(row)).rstrip())
        if number == 0:
            print("  ".join("-" * w for w in width))
    print()


HEAD = ["link", "load", "system", "n", "lost %", "p50 ms", "p99", "p99.9", "late %", "(spread)", ">150 %", "B/packet", "CPU us", "other"]


def spread(group, figure):
    values = group.all(figure)
    return "" if len(values) < 2 else "(%.2f..%.2f)" % (min(values), max(values))


def other(group):
    """Of video, of a download."""
    first = group.cells[0]
    if first.video:
        return "video p50 %.0f, p99 %.0f ms, lost %.1f %%, torn %.1f %%" % (
            group.median(lambda c: c.worse("p50_ms", c.video)), group.median(lambda c: c.worse("p99_ms", c.video)),
            group.median(lambda c: c.lost_pct(c.video)), group.median(results.Cell.torn_pct))
    if "max_pps" in first.data:
        return "%.0f packets/s %s" % (group.median(lambda c: c.data["max_pps"]), spread(group, lambda c: c.data["max_pps"]))
    rate = group.median(results.Cell.download_kbps)
    return "download %.0f kbit/s" % rate if rate else ""


def optional(form, value):
    return "-" if value is None else form % value


def table_row(group):
    if "max_pps" in group.cells[0].data:
        return [group.net, group.load, group.system, len(group.cells)] + [""] * 9 + [other(group)]
    out = [group.net, group.load, group.system, len(group.cells), "%.2f" % group.median(results.Cell.lost_pct)]
    out += ["%.2f" % group.median(lambda c, k=key: c.worse(k)) for key in ("p50_ms", "p99_ms", "p999_ms")]
    out += ["%.2f" % group.median(results.Cell.late), spread(group, results.Cell.late), "%.2f" % group.median(goals.late150)]
    return out + [optional("%.0f", group.median(results.Cell.bytes_per_packet)), optional("%.1f", group.median(results.Cell.cpu_us)), other(group)]


def noise(groups):
    """How far the figures can be trusted: what repeats differ by, and how late the link itself was for want of a processor."""
    late_link = [c.data["link_late_ms"] for g in groups.values() for c in g.cells if "link_late_ms" in c.data]
    out = []
    if late_link:
        late_link.sort()
        out.append("The emulated link itself was late by at most %.1f ms in the median cell, %.1f ms in the worst: so much of a delay may be this machine's."
                   % (late_link[len(late_link) // 2], late_link[-1]))
    waited = sorted(c.waited_us() for g in groups.values() for c in g.cells if c.waited_us() is not None)
    if waited:
        out.append("The programs measured waited for a processor %.0f us for each packet in the median cell, %.0f us in the worst."
                   % (waited[len(waited) // 2], waited[-1]))
    repeats = [g for g in groups.values() if len(g.cells) > 1 and "max_pps" not in g.cells[0].data]
    if repeats:
        wide = max(repeats, key=lambda g: max(g.all(results.Cell.late)) - min(g.all(results.Cell.late)))
        late = wide.all(results.Cell.late)
        out.append("Medians of %d repeats; the widest spread of a late share: %s %s %s, %.2f to %.2f %%."
                   % (max(len(g.cells) for g in repeats), wide.net, wide.load, wide.system, min(late), max(late)))
    else:
        out.append("One repeat: a factor of two below 1 % is noise; BENCH_REPEATS=3 tells more.")
    out.append("Cells of the same link and repeat lose by the same random numbers. One packet of a call of 60 s is 0.03 %; CPU and rates are "
               "comparable within one run only.")
    return "\n".join(out)


def main():
    directory, path, profile, seconds, repeats, jobs = sys.argv[1:]
    cells = results.read(directory)
    groups = results.grouped(cells)
    here = machine()
    print("\nEach figure is of the worse direction; late: lost, or later than base + 35 ms (base: the link's own delay); CPU: all programs of a "
          "system,\nus for each packet that arrived; B/packet: on the wire, both directions, for each packet of RTP.\n")
    show(HEAD, [table_row(g) for g in groups.values()], (0, 1, 2, 13))
    found = goals.rows(groups)
    if found:
        show(["goals", "", "Culvert", "goal", "", "spread", "best peer here"], found, (0, 1, 3, 4, 5, 6))
    print(noise(groups))
    print("Kernel %(kernel)s, %(processors)s processors; TCP_RTO_MIN_US %(TCP_RTO_MIN_US)s, TCP_NOTSENT_LOWAT %(TCP_NOTSENT_LOWAT)s, bbr %(bbr)s, by "
          "default %(congestion)s" % here)
    with open(path, "w") as f:
        json.dump({"format": 2, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "profile": profile, "seconds": int(seconds),
                   "repeats": int(repeats), "jobs": int(jobs), "machine": here, "goals": found, "cells": [c.data for c in cells]}, f, indent=1)
    print("written: %s, and %d plots: %s" % (path, len(plot.write(groups, directory)), os.path.join(directory, "*.svg")))


if __name__ == "__main__":
    main()
