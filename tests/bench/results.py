"""Cells of the benchmark: what they measured, and what of repeats of the same counts.

    results.py cell DIR NET LOAD SYSTEM FILE   a cell's result out of what its programs left in DIR
    results.py row FILE                        a line about it
"""
import glob
import json
import os
import statistics
import sys


LOADS = ("call", "calls10", "calls100", "video", "video-over", "download")
SYSTEMS = ("raw", "coturn", "openvpn", "tls", "duplex+single", "duplex", "duplex-h2", "websocket", "push", "poll", "duplex+untuned", "duplex+squid-far", "duplex+squid-near")


def last_json(path):
    try:
        with open(path) as f:
            return json.loads([line for line in f if line.startswith("{")][-1])
    except (OSError, IndexError, ValueError):
        return None


def wire(before, after):
    """What the link carried meanwhile, lost packets included: bytes, packets, and what its queue dropped."""
    out = {}
    for way, name in (("ab", "up"), ("ba", "down")):
        out[name] = {"bytes": after[way]["in_bytes"] - before[way]["in_bytes"],
                     "packets": after[way]["in_packets"] - before[way]["in_packets"],
                     "lost": after[way]["lost"] - before[way]["lost"],
                     "queue_drops": after[way]["queue_drops"] - before[way]["queue_drops"]}
    return out


def make(directory, net, load, system):
    cell = last_json(os.path.join(directory, "load.out"))
    del cell["label"]
    cell.update(net=net, load=load, system=system, repeat=int(os.environ.get("BENCH_SEED") or 1))
    before, after = (last_json(os.path.join(directory, name)) for name in ("before", "after"))
    if before and after:
        cell["wire"] = wire(before, after)
        cell["link_late_ms"] = max(after[way]["late_max_us"] for way in ("ab", "ba")) / 1000
    for key, name in (("download", "fetch.out"), ("status", "status")):
        found = last_json(os.path.join(directory, name))
        if found:
            cell[key] = found
    return cell


def base_ms(net):
    return 0.0 if net == "clean" else float(net.split("/")[0])


class Cell:
    """One run. ways: its two directions, of the audio where there is video, too."""

    def __init__(self, data):
        self.data, self.net, self.load, self.system = data, data["net"], data["load"], data["system"]
        self.base = base_ms(self.net)
        self.late_key = "late%g_pct" % (self.base + 35)
        kinds = data.get("kinds")
        self.audio = kinds[0] if kinds else data
        self.video = kinds[1] if kinds else None

    def worse(self, key, of=None):
        """The worse direction: the larger figure."""
        ways = [(of or self.audio)[way] for way in ("up", "down") if way in (of or self.audio)]
        return max(way.get(key, float("inf")) for way in ways)

    def late(self, of=None):
        return self.worse(self.late_key, of)

    def lost_pct(self, of=None):
        ways = [(of or self.audio)[way] for way in ("up", "down") if way in (of or self.audio)]
        return max(100.0 * way["lost"] / max(way["sent"], 1) for way in ways)

    def cpu_us(self):
        """Of all programs of the system, for each packet that arrived."""
        return sum(p["cpu_us_per_packet"] for p in self.data["processes"]) if self.data["processes"] else None

    def waited_us(self):
        """Its programs were ready to run, but had no processor: us for each packet that arrived."""
        packets = sum(self.data[way]["received"] for way in ("up", "down") if way in self.data)
        return sum(p["waited_s"] for p in self.data["processes"]) * 1e6 / max(packets, 1) if self.data["processes"] else None

    def wire_bytes(self):
        return sum(way["bytes"] for way in self.data["wire"].values()) if "wire" in self.data else None

    def bytes_per_packet(self):
        sent = sum(self.data[way]["sent"] for way in ("up", "down") if way in self.data)
        return self.wire_bytes() / max(sent, 1) if "wire" in self.data else None

    def download_kbps(self):
        d = self.data.get("download")
        return d["bytes"] * 8e-3 / d["seconds"] if d else None

    def torn_pct(self):
        """Video frames of which only a part arrived, of all that were sent; the worse direction."""
        return max(100.0 * self.video[way]["frames"]["torn"] / max(self.video[way]["frames"]["sent"], 1) for way in ("up", "down"))


class Group:
    """The repeats of a cell. A figure is their median."""

    def __init__(self, cells):
        self.cells = cells
        self.net, self.load, self.system, self.base = cells[0].net, cells[0].load, cells[0].system, cells[0].base

    def all(self, figure):
        return [value for value in (figure(cell) for cell in self.cells) if value is not None]

    def median(self, figure):
        values = self.all(figure)
        return statistics.median(values) if values else None


def read(directory):
    cells = []
    for path in glob.glob(os.path.join(directory, "*.json")):
        with open(path) as f:
            cells.append(Cell(json.load(f)))
    return cells


def order(cell):
    """By link, load and system: what is compared stands together."""
    return (cell.net == "clean", cell.base, cell.net, LOADS.index(cell.load) if cell.load in LOADS else len(LOADS), cell.load,
            SYSTEMS.index(cell.system) if cell.system in SYSTEMS else len(SYSTEMS), cell.system)


def grouped(cells):
    """Groups by (net, load, system), in that order."""
    out = {}
    for cell in sorted(cells, key=order):
        out.setdefault((cell.net, cell.load, cell.system), []).append(cell)
    return {key: Group(value) for key, value in out.items()}


def row(cell):
    if "max_pps" in cell.data:
        return "%.0f packets/s" % cell.data["max_pps"]
    text = "p50 %.2f, p99 %.2f ms; lost %.2f %%, later than base + 35 ms %.2f %%, than 150 ms %.2f %%" % (
        cell.worse("p50_ms"), cell.worse("p99_ms"), cell.lost_pct(), cell.late(), cell.worse("late150_pct"))
    if cell.video:
        text += "; video p50 %.0f, p99 %.0f ms, lost %.1f %%" % (
            cell.worse("p50_ms", cell.video), cell.worse("p99_ms", cell.video), cell.lost_pct(cell.video))
    if cell.download_kbps():
        text += "; download %.0f kbit/s" % cell.download_kbps()
    return text


def main():
    if sys.argv[1] == "cell":
        cell = make(*sys.argv[2:6])
        with open(sys.argv[6] + ".new", "w") as f:
            json.dump(cell, f)
        os.rename(sys.argv[6] + ".new", sys.argv[6])
    else:
        with open(sys.argv[2]) as f:
            print(row(Cell(json.load(f))))


if __name__ == "__main__":
    main()
