"""Does what the doctor says of a proxy agree with what is known of it? Words of what is known, in rows.sh, else the defaults:

    usable:yes  up:passes  limit:8  cut:no    a finding or another verdict; cut is no, age or idle
    hold=ok                                   the outcome of a check; *=... of those that nothing is said of
    certificate@Squid                         who is named at a check: part of it
    hold.best_s:20                            a figure of a check

Several may be right: a|b. Of the checks of up, down, down_sse, duplex and parallel what the findings demand is the default,
of certificate and websocket what the mode does."""

FINDINGS = ("duplex", "up", "down", "down_sse")
BY_MODE = {"absolute": {"connect": "limited"}, "intercepted": {"certificate": "limited", "websocket": "ok|limited|broken"}, "reverse": {"websocket": "ok|limited"}}


def parse(words):
    """{(kind, name): value} for the kinds =, @, : and ."""
    known = {}
    for word in words.split():
        at = next(i for i, c in enumerate(word) if c in "=@:")
        known[word[at], word[:at]] = word[at + 1:]
    return known


def by_finding(name, verdict):
    """The outcome of a check that one finding decides."""
    f = verdict["findings"]
    if f[name] == "passes":
        return "ok"
    return "limited" if name == "up" and f["up_fill"] == "passes" else "broken"


def cut(verdict):
    c = verdict["cuts"]
    return "age" if c["age_ms"] else "idle" if c["idle_ms"] else "no"


def plain(number):
    return "%g" % number if isinstance(number, (int, float)) else str(number)


def values(verdict, known):
    """(what, is, should be) of everything but the outcomes of checks."""
    checks = {c["name"]: c for c in verdict["checks"]}
    defaults = {"usable": "yes", "limit": "8", "cut": "no"}
    defaults.update((name, "passes") for name in FINDINGS)
    defaults.update((name, value) for (kind, name), value in known.items() if kind == ":")
    said = dict(verdict["findings"], usable=verdict["usable"], cut=cut(verdict))
    for name, value in defaults.items():
        check, dot, figure = name.partition(".")
        yield name, plain(checks[check]["figures"].get(figure) if dot else said[name]), value
    if said["limit"] < 8:
        yield "parallel.connections", plain(checks["parallel"]["figures"]["connections"]), plain(said["limit"])


def outcomes(verdict, known):
    """(what, is, should be) of each check."""
    usual = dict(BY_MODE.get(verdict["mode"], {}))
    usual.update((name, by_finding(name, verdict)) for name in FINDINGS)
    usual["parallel"] = "limited" if verdict["findings"]["limit"] < 8 else "ok"
    usual.update((name, value) for (kind, name), value in known.items() if kind == "=")
    for c in verdict["checks"]:
        yield c["name"], "ok" if c["outcome"] == "skipped" else c["outcome"], usual.get(c["name"], usual.get("*", "ok"))


def complaints(verdict, mode, rungs, words):
    if not verdict:
        return ["the doctor gave no verdict"]
    known = parse(words)
    facts = [("mode", verdict["mode"], mode), ("rung", verdict["rung"], rungs.replace(",", "|"))]
    facts += list(values(verdict, known)) + list(outcomes(verdict, known))
    bad = ["the doctor says %s %s, not %s" % fact for fact in facts if fact[1] not in fact[2].split("|")]
    box = {c["name"]: c["box"] or "nobody" for c in verdict["checks"]}
    return bad + ["the doctor names %s at %s, not %s" % (box[name], name, value)
                  for (kind, name), value in known.items() if kind == "@" and value not in box[name]]


def in_short(verdict):
    """For the matrix: rung, whether calls work, and what it found besides."""
    if not verdict:
        return "?"
    words = ["%s %s" % (verdict["rung"], verdict["usable"])]
    if verdict["findings"]["limit"] < 8:
        words.append("limit %d" % verdict["findings"]["limit"])
    if cut(verdict) != "no":
        words.append("cut by " + cut(verdict))
    return ", ".join(words)
