#!/usr/bin/python3
"""The cases of tests/web/cases with the browser's WebSocket and the library's in each transport, in one Chromium; what they see must be the same.

    cases.py --profile DIR --at ws://ADDR:PORT [--base URL --token TEXT --trust PEM --library DIR] [--transports LIST] [--only WORD] [--json FILE]

Without --base only native is tried. Prints a table; exit status 0 when nothing differs.
"""
import argparse
import asyncio
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from browser import Chromium  # noqa: E402
from website import Site  # noqa: E402


IN_WORKER = """await new Promise((yes, no) => {
    const w = new Worker("/cases/worker.js");
    w.onmessage = e => yes(e.data);
    w.onerror = e => no(new Error(e.message));
    w.postMessage({ transport: "stream", at: %s, options: %s, word: %s });
})"""
LIBRARY = """await new Promise((yes, no) => {
    const s = document.createElement("script");
    s.src = "/dist/culvert-web.umd.js";
    s.onload = yes;
    s.onerror = no;
    document.head.append(s);
})"""


async def run(browser, site, asked, transport):
    """What a tab of its own sees, and what it did not catch."""
    # Four tabs of an origin hold requests: these two have another one.
    host = "127.0.0.1" if transport in ("installed", "worker") else "localhost"
    page = await browser.page("http://%s:%d/cases/index.html" % (host, site.port))
    how = tuple(map(json.dumps, (asked.at, {"base": asked.base, "token": asked.token}, asked.only or "")))
    if transport == "worker":
        script = IN_WORKER % how
    else:
        if transport:
            await page.eval(LIBRARY)
        script = "await runCases(worldOf(%s, %s, %s), %s)" % (json.dumps(transport), *how)
    results = await page.eval(script, timeout=300)
    errors = [e for e in page.errors if "RangeError: from m" not in e]
    await page.close()
    return results, errors


# What install() cannot give: its prototype is that of the native ones, which are there as well; client/web/README.md says so.
NOT_INSTALLED = {"attributes: what it is", "attributes: can be extended"}


def short(seen):
    text = json.dumps(seen, ensure_ascii=False)
    return text if len(text) < 1500 else text[:1500] + "..."


def compare(all_results, columns):
    """Says where one of the others saw something else; how often."""
    native = all_results["native"]
    wrong = 0
    for name, reference in native.items():
        others = {}
        for column in columns:
            seen = all_results[column][name]["seen"]
            if seen != reference["seen"] and not (column == "installed" and name in NOT_INSTALLED):
                others.setdefault(short(seen), []).append(column)
                wrong += 1
        if others:
            print("DIFFERS %s\n  native: %s" % (name, short(reference["seen"])))
        for seen, whose in others.items():
            print("  %s: %s" % (", ".join(whose), seen))
    return wrong


def table(all_results, columns):
    suites = {}
    for name in all_results["native"]:
        suites.setdefault(name.split(":")[0], []).append(name)
    print("%-14s %6s" % ("", "cases") + "".join("%16s" % c for c in columns))
    for suite, names in list(suites.items()) + [("all", list(all_results["native"]))]:
        cells = ""
        for c in columns:
            same = sum(all_results[c][n]["seen"] == all_results["native"][n]["seen"] for n in names)
            cells += "%16s" % ("%d  %.1f s" % (same, sum(all_results[c][n]["ms"] for n in names) / 1000))
        print("%-14s %6d" % (suite, len(names)) + cells)


def named(transport):
    return "native" if transport is None else "ours-native" if transport == "native" else transport


def idle(all_results, columns):
    """Transports that were not what was tried: most sockets are there but for a moment, or beside others, and poll."""
    wrong = 0
    for column in columns[1:]:
        if column == "installed":
            continue
        used = [u for r in all_results[column].values() for u in r["used"] if u]
        own = used.count({"ours-native": "native", "worker": "stream"}.get(column, column))
        print("%-12s carried %d of %d sockets" % (column, own, len(used)))
        wrong += own < len(used) / 2
    return wrong


def hung(results):
    """Cases that the reference itself did not end."""
    return [n for n, r in results.items() if r["seen"] and isinstance(r["seen"][-1], str) and r["seen"][-1].startswith(("not within", "threw"))]


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", required=True)
    parser.add_argument("--at", required=True)
    parser.add_argument("--base")
    parser.add_argument("--token", default="")
    parser.add_argument("--trust", action="append", default=[])
    parser.add_argument("--library", default=os.path.join(HERE, "../../client/web/dist"))
    parser.add_argument("--transports", default="native,stream,sse,poll")
    parser.add_argument("--only")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--json")
    asked = parser.parse_args()
    transports = asked.transports.split(",") if asked.base else []
    async with Site([("cases", os.path.join(HERE, "cases")), ("dist", asked.library)], port=asked.port) as site, \
            Chromium(asked.profile, trust=asked.trust, args=["--js-flags=--expose-gc", "--disable-background-timer-throttling"]) as browser:
        # Each in a tab of its own, at the same time: four may hold a request.
        tried = [None] + transports
        done = await asyncio.gather(*(run(browser, site, asked, transport) for transport in tried))
    all_results = {named(t): results for t, (results, _) in zip(tried, done)}
    errors = ["%s: %s" % (named(t), e) for t, (_, more) in zip(tried, done) for e in more]
    columns = list(all_results)
    if asked.json:
        with open(asked.json, "w", encoding="utf-8") as f:
            json.dump(all_results, f, indent=1, ensure_ascii=False)
    wrong = compare(all_results, columns[1:])
    for name in hung(all_results["native"]):
        wrong += 1
        print("NATIVE %s: %s" % (name, short(all_results["native"][name]["seen"])))
    for error in errors:
        wrong += 1
        print("ERROR %s" % error)
    table(all_results, columns)
    wrong += idle(all_results, columns)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
