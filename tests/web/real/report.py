#!/usr/bin/python3
"""report: what real.py said, as lines of a table. report.py --head; report.py FILE"""
import json
import sys

FORM = "%-20s %-6s %-9s %-13s %10s %8s %8s %8s  %s"


def figure(value, unit=""):
    return "-" if value is None else "%g%s" % (value, unit)


def outcome(line):
    """In a word and a half, what came of it; a native one that fails as expected is no mistake."""
    if line["complaint"]:
        return "WRONG: " + line["complaint"]
    if not line["failed"]:
        return "works"
    return "fails, as expected: " + (line["said"][-1].split(": ")[-1] if line["said"] else line["failed"]["why"])


def main():
    if sys.argv[1] == "--head":
        print(FORM % ("proxy", "client", "mode", "transport", "registered", "call", "all", "p50", "(ms)"))
        return
    with open(sys.argv[1], encoding="utf-8") as f:
        for line in map(json.loads, f):
            steps = line["steps"]
            call = steps.get("call", steps.get("answer"))
            print(FORM % (line["proxy"], line["client"], line["mode"], "+".join(line["transports"]), figure(steps.get("registered")), figure(call),
                          figure(steps.get("closed")), figure(line["p50"]), outcome(line)))


if __name__ == "__main__":
    main()
