"""Plots of the benchmark: the distribution of the delays of a link and a load, one curve for each system, as SVG. Called by report.py.

The horizontal axis is the delay, logarithmic; the vertical one the share of packets that were there by then, stretched towards 100 % so
that 99 % and 99.9 % are as far apart as 90 % and 99 %."""
import math
import os

COLOURS = {"raw": "#888888", "coturn": "#d95f02", "openvpn": "#a6761d", "tls": "#e7298a", "duplex+single": "#7570b3", "duplex": "#1b9e77",
           "duplex+untuned": "#66a61e", "push": "#1f78b4", "poll": "#e6ab02", "duplex+squid-far": "#33a02c", "duplex+squid-near": "#b2df8a"}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 560, 70, 190, 50, 60
SHARES = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
MOST = 4.2  # of the vertical axis: 1 - 10 ** -4.2


def height_of(share):
    return -math.log10(max(1 - share, 10 ** -MOST))


class Axes:
    def __init__(self, low, high):
        self.low, self.high = math.log(low), math.log(high)

    def x(self, ms):
        at = (math.log(max(ms, 1e-3)) - self.low) / (self.high - self.low)
        return LEFT + min(max(at, 0), 1) * (WIDTH - LEFT - RIGHT)

    def y(self, share):
        return HEIGHT - BOTTOM - height_of(share) / MOST * (HEIGHT - TOP - BOTTOM)


def histogram(group):
    """Packets by delay (ms at most), and how many were sent; both directions, all repeats."""
    counts, sent = {}, 0
    for cell in group.cells:
        for way in ("up", "down"):
            if way in cell.audio:
                sent += cell.audio[way]["sent"]
                for ms, packets in cell.audio[way]["histogram"]:
                    counts[ms] = counts.get(ms, 0) + packets
    return sorted(counts.items()), sent


def curve(axes, points, sent):
    """Steps: as it is, the share grows where packets arrived. Those that were lost never come."""
    out, here, y = [], 0, axes.y(0)
    for ms, packets in points:
        x = axes.x(ms)
        out.append("%.1f,%.1f" % (x, y))
        here += packets
        y = axes.y(here / sent)
        out.append("%.1f,%.1f" % (x, y))
    out.append("%.1f,%.1f" % (WIDTH - RIGHT, y))
    return " ".join(out)


def ticks(low, high):
    found = [m * 10.0 ** e for e in range(-3, 6) for m in (1, 1.5, 2, 3, 5, 7)]
    return [t for t in found if low <= t <= high]


def text(x, y, content, anchor="start", extra=""):
    return '<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>' % (x, y, anchor, extra, content)


def line(x1, y1, x2, y2, style):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>' % (x1, y1, x2, y2, style)


def frame(axes, low, high, title):
    grid = 'stroke="#dddddd"'
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' % (WIDTH, HEIGHT),
           '<rect width="100%" height="100%" fill="white"/>', text(LEFT, 25, title, extra=' font-size="15"')]
    for ms in ticks(low, high):
        out += [line(axes.x(ms), TOP, axes.x(ms), HEIGHT - BOTTOM, grid), text(axes.x(ms), HEIGHT - BOTTOM + 18, "%g" % ms, "middle")]
    for share in SHARES:
        out += [line(LEFT, axes.y(share), WIDTH - RIGHT, axes.y(share), grid), text(LEFT - 6, axes.y(share) + 4, "%g %%" % (100 * share), "end")]
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 15, "one-way delay, ms", "middle"))
    out.append('<text x="16" y="%d" text-anchor="middle" transform="rotate(-90 16 %d)">of the packets sent, arrived within</text>' % (HEIGHT / 2, HEIGHT / 2))
    return out


def mark(axes, low, high, ms, what):
    if not low < ms < high:
        return []
    return [line(axes.x(ms), TOP, axes.x(ms), HEIGHT - BOTTOM, 'stroke="#444444" stroke-dasharray="4 4"'), text(axes.x(ms), TOP - 6, what, "middle")]


def draw(net, load, groups):
    data = [(g, *histogram(g)) for g in groups]
    data = [(g, points, sent) for g, points, sent in data if points and sent]
    if not data:
        return None
    base = data[0][0].base
    low = 0.9 * min(points[0][0] for _, points, _ in data)
    high = 1.1 * max(max(points[-1][0] for _, points, _ in data), base + 150)
    axes = Axes(low, high)
    lossless = "veth pair" if net == "clean" else "%s ms one way, loss %s %%" % tuple(net.split("/")[:2])
    out = frame(axes, low, high, "%s (%s), %s: delays of audio, both directions, %d run(s) each" % (net, lossless, load, max(len(g.cells) for g in groups)))
    out += mark(axes, low, high, base + 35, "base + 35") + mark(axes, low, high, 150, "150")
    for i, (g, points, sent) in enumerate(data):
        colour, y = COLOURS.get(g.system, "#000000"), TOP + 12 + 20 * i
        out.append('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>' % (colour, curve(axes, points, sent)))
        out += [line(WIDTH - RIGHT + 15, y, WIDTH - RIGHT + 40, y, 'stroke="%s" stroke-width="3"' % colour), text(WIDTH - RIGHT + 46, y + 4, g.system)]
    return "\n".join(out + ["</svg>", ""])


def write(groups, directory):
    """One file for each link and load; their names."""
    names, sets = [], {}
    for g in groups.values():
        if "max_pps" not in g.cells[0].data:
            sets.setdefault((g.net, g.load), []).append(g)
    for (net, load), those in sorted(sets.items()):
        drawing = draw(net, load, those)
        if drawing:
            names.append(os.path.join(directory, "%s.%s.svg" % (net.replace("/", "-"), load)))
            with open(names[-1], "w") as f:
                f.write(drawing)
    return names
