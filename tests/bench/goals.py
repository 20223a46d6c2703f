"""What Culvert must hold (medians of the repeats), each figure with its goal beside it. Called by report.py."""
import results

CALL_KBPS = 50 * 275 * 8 / 1000  # one direction of a call on the wire, once: RTP, record, TLS, TCP and IP


class Missing(Exception):
    """A cell that a figure needs was not measured."""


def p99_over_base(c):
    return c.worse("p99_ms") - c.base


def late150(c):
    return c.worse("late150_pct")


def download_share(c):
    """Of what the call leaves of the bottleneck, percent."""
    return 100 * c.download_kbps() / (bottleneck_kbps(c) - CALL_KBPS)


def bottleneck_kbps(c):
    parts = c.net.split("/")
    return float(parts[2]) if len(parts) > 2 else 2000.0


def p50(c):
    return c.worse("p50_ms")


def video_p999_over_base(c):
    return c.worse("p999_ms", c.video) - c.base


LATE = ("late %", results.Cell.late)
# (case, net, load, ((what, figure, goal), ...)): the figure is at most the goal
DELAYS = (
    ("1 % random, one call", "25/1", "call", (LATE + (0.1,), ("p99 - base, ms", p99_over_base, 25), ("> 150 ms %", late150, 0))),
    ("2 %", "25/2", "call", (LATE + (0.2,), ("p99 - base, ms", p99_over_base, 25), ("> 150 ms %", late150, 0.05))),
    ("5 %", "25/5", "call", (LATE + (0.6,),)),
    ("Gilbert-Elliott 2 %", "25/ge2", "call", (LATE + (1.5,), ("> 150 ms %", late150, 0.2))),
    ("75 ms, 2 %", "75/2", "call", (("> 150 ms %", late150, 0.3),)),
    ("2 %, ten calls at once", "25/2", "calls10", (LATE + (0.6,),)),
    ("300 kbit/s, 1 %", "25/1/300", "call", (LATE + (2,), ("p50 - base, ms", lambda c: p50(c) - c.base, 35))),
    ("call beside a download, 2 Mbit/s", "25/0", "download", (("p99 - base, ms", p99_over_base, 60),)),
    ("call beside video of 3 Mbit/s", "25/0", "video-over",
     (LATE + (1,), ("video p99.9 - base, ms", video_p999_over_base, 400), ("torn frames %", results.Cell.torn_pct, 2))),
)
VARIANTS = ("duplex+untuned", "duplex+squid-far", "duplex+squid-near", "push", "poll")
PEERS = ("coturn", "openvpn", "tls", "duplex+single")


def number(value):
    return "-" if value is None else "%.3g" % value if abs(value) < 1000 else "%.0f" % value


def group(groups, net, load, system):
    found = groups.get((net, load, system))
    if not found:
        raise Missing
    return found


def figure(groups, net, load, system, what):
    value = group(groups, net, load, system).median(what)
    if value is None:
        raise Missing
    return value


def spread(groups, net, load, system, what):
    values = group(groups, net, load, system).all(what)
    return "" if len(values) < 2 else "%s..%s" % (number(min(values)), number(max(values)))


def best_peer(groups, net, load, what, least=True):
    """The best figure among the peers that were measured, and whose."""
    found = [(g.median(what), name) for name in PEERS for g in [groups.get((net, load, name))] if g and g.median(what) is not None]
    if not found:
        return ""
    value, name = (min if least else max)(found)
    return "%s (%s)" % (number(value), name)


def line(case, what, goal, value, verdict, noise="", peer=""):
    return [case, what, number(value), goal, verdict, noise, peer]


def judged(value, goal, least=False):
    """By the figure as it is shown."""
    shown = float(number(value))
    return "ok" if (shown >= goal if least else shown <= goal) else "missed"


def delay_rows(groups, system):
    for case, net, load, figures in DELAYS:
        for what, measure, goal in figures:
            try:
                value = figure(groups, net, load, system, measure)
            except Missing:
                continue
            yield line(case, what, "<= %g" % goal, value, judged(value, goal), spread(groups, net, load, system, measure),
                       best_peer(groups, net, load, measure))


def ratio(groups, net, load, what, system, other):
    return figure(groups, net, load, system, what) / max(figure(groups, net, load, other, what), 1e-9)


def compared():
    """(case, what, goal, at least, function of the groups) of figures that are not one cell's alone."""
    def against(net, load, what, other="coturn", system="duplex"):
        return lambda groups: ratio(groups, net, load, what, system, other)

    def kpps(load):
        return lambda groups: figure(groups, "clean", load, "duplex", lambda c: c.data["max_pps"] / 1000)

    wire = results.Cell.bytes_per_packet
    yield "bytes while lossy, 2 %", "x one connection's", 2.5, False, against("25/2", "call", wire, "duplex+single")
    yield "bytes on a clean path", "x one connection's", 1.1, False, against("25/0", "call", wire, "duplex+single")
    yield "download beside a call", "% of what is left", 80, True, lambda g: figure(g, "25/0", "download", "duplex", download_share)
    yield "clean, 100 calls", "CPU, x coturn's", 0.7, False, against("clean", "calls100", results.Cell.cpu_us)
    yield "clean, 100 calls", "p50, x coturn's", 1, False, against("clean", "calls100", p50)
    yield "clean, one call", "CPU, x coturn's", 1, False, against("clean", "call", results.Cell.cpu_us)
    yield "clean, one call", "p50, x coturn's", 1, False, against("clean", "call", p50)
    for case, load in (("clean, 10 calls", "calls10"), ("clean, 100 calls", "calls100")):
        for system, goal in (("duplex-h2", 1.3), ("websocket", 1.1)):
            yield case, "CPU of %s, x duplex's" % system, goal, False, against("clean", load, results.Cell.cpu_us, "duplex", system)
    yield "clean, highest rate, 200 B", "kpps", 120, True, kpps("flood200")
    yield "clean, highest rate, 1200 B", "kpps", 100, True, kpps("flood1200")


def compared_rows(groups):
    for case, what, goal, least, value_of in compared():
        try:
            value = value_of(groups)
        except Missing:
            continue
        peer = ""
        if what == "kpps":
            load = "flood" + case.split()[-2]
            peer = best_peer(groups, "clean", load, lambda c: c.data["max_pps"] / 1000, False)
        elif what == "x one connection's":
            net = "25/2" if "lossy" in case else "25/0"
            peer = best_peer(groups, net, "call", results.Cell.bytes_per_packet) + " B/packet"
        elif what == "% of what is left":
            peer = best_peer(groups, "25/0", "download", download_share, False)
        yield line(case, what, "%s %g" % (">=" if least else "<=", goal), value, judged(value, goal, least), "", peer)


def variant_rows(groups):
    """The delays' figures of other ways than duplex, beside their goals."""
    for system in VARIANTS:
        for row in delay_rows(groups, system):
            yield [system + ": " + row[0]] + row[1:]


def rows(groups):
    return list(delay_rows(groups, "duplex")) + list(compared_rows(groups)) + list(variant_rows(groups))
