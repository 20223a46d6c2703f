#!/usr/bin/python3
"""voice: a two-way Opus call by GStreamer, both ends in one place.

    voice.py --dir DIR [--sink ADDR:PORT] [--seconds S] [--deadline MS]

The far end (as a media server) listens on --sink and prints "ready udp ADDR:PORT voice"; it answers to where
packets come from. For each line "ADDR:PORT LABEL" of standard input the near end calls that address, the entrance of
the tunnel: for S seconds each end sends a tone of its own as Opus in RTP (gst-launch: opusenc, rtpopuspay) and records
what it hears (rtpjitterbuffer, opusdec) to DIR/LABEL.near.wav and DIR/LABEL.far.wav.

Prints one line of JSON for each call: up and down with packets sent, received, lost, duplicate, reordered by their RTP
sequence numbers, one-way delays (ms) and the share later than the deadline or lost, and what tone.py finds in each recording.

GStreamer's senders and receivers talk to this program over loopback; it alone holds the sockets towards the tunnel, as
an application sends and receives on one port.
"""
import argparse
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tone  # noqa: E402

NEAR_HERTZ, FAR_HERTZ = 400, 600  # what the near and the far end send
PACKET_S = 0.02
JITTER_BUFFER_MS = 300
CAPS = "application/x-rtp,media=audio,clock-rate=48000,encoding-name=OPUS,payload=111"


def udp(address=("127.0.0.1", 0)):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(address)
    return sock


def gst(pipeline, log):
    return subprocess.Popen(["gst-launch-1.0", "-e", "-q"] + pipeline.split(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def start_sender(hertz, port, packets, log):
    return gst("audiotestsrc is-live=true wave=sine freq=%d volume=0.5 samplesperbuffer=960 num-buffers=%d "
               "! audio/x-raw,rate=48000,channels=1 ! opusenc bitrate=32000 frame-size=20 "
               "! rtpopuspay pt=111 ! udpsink host=127.0.0.1 port=%d" % (hertz, packets, port), log)


def start_receiver(path, log):
    return gst("udpsrc address=127.0.0.1 port=0 caps=%s ! rtpjitterbuffer latency=%d ! rtpopusdepay ! opusdec "
               "! audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=8000,channels=1 "
               "! audiorate skip-to-first=true ! wavenc ! filesink location=%s" % (CAPS, JITTER_BUFFER_MS, path), log)


def udp_port_of(process, seconds=15):
    """The local UDP port that a process has bound: it says nothing itself."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        inodes = set()
        for fd in os.listdir("/proc/%d/fd" % process.pid):
            try:
                name = os.readlink("/proc/%d/fd/%s" % (process.pid, fd))
            except OSError:
                continue
            if name.startswith("socket:["):
                inodes.add(name[8:-1])
        with open("/proc/%d/net/udp" % process.pid) as table:
            for row in list(table)[1:]:
                columns = row.split()
                if columns[9] in inodes:
                    return int(columns[1].split(":")[1], 16)
        time.sleep(0.02)
    raise RuntimeError("GStreamer's receiver does not listen")


class Direction:
    """Counts the packets of one direction by their RTP sequence numbers."""

    def __init__(self, deadline_ms):
        self.deadline_ms = deadline_ms
        self.sent = {}  # sequence -> when
        self.delays = {}
        self.duplicate = self.reordered = self.foreign = 0
        self.newest = None

    @staticmethod
    def sequence(packet):
        if len(packet) < 12 or packet[0] >> 6 != 2 or packet[1] & 0x7f != 111:
            return None
        return struct.unpack(">H", packet[2:4])[0]

    def went(self, packet, now):
        self.sent[self.sequence(packet)] = now

    def came(self, packet, now):
        sequence = self.sequence(packet)
        if sequence not in self.sent:
            self.foreign += 1
        elif sequence in self.delays:
            self.duplicate += 1
        else:
            self.delays[sequence] = now - self.sent[sequence]
            if self.newest is not None and (sequence - self.newest) % 65536 > 32768:
                self.reordered += 1
            else:
                self.newest = sequence

    def report(self):
        delays = sorted(self.delays.values())
        lost = len(self.sent) - len(delays)
        late = lost + sum(d * 1000 > self.deadline_ms for d in delays)
        out = {"sent": len(self.sent), "received": len(delays), "lost": lost, "duplicate": self.duplicate,
               "reordered": self.reordered, "foreign": self.foreign, "late_pct": round(100 * late / max(len(self.sent), 1), 3)}
        for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99), ("max_ms", 1.0)):
            out[name] = round(delays[min(int(share * len(delays)), len(delays) - 1)] * 1000, 3) if delays else None
        return out


class Call:
    def __init__(self, options, far, dest, label, log):
        self.options, self.far, self.log = options, far, log
        self.up, self.down = Direction(options.deadline), Direction(options.deadline)
        self.near = udp()
        self.near.connect(dest)
        self.far_peer = None
        self.inner = udp()  # towards the receivers
        self.from_near, self.from_far = udp(), udp()  # from the senders
        self.wav = {end: os.path.join(options.dir, "%s.%s.wav" % (label, end)) for end in ("near", "far")}
        self.processes = []

    def relay(self, seconds, until=lambda: False):
        """Passes packets between GStreamer and the tunnel."""
        end = time.monotonic() + seconds
        sockets = [self.near, self.far, self.from_near, self.from_far]
        while time.monotonic() < end and not until():
            for sock in select.select(sockets, [], [], 0.05)[0]:
                try:
                    packet, peer = sock.recvfrom(65536)
                except ConnectionError:  # the helper was away for a moment
                    continue
                self.pass_on(sock, packet, peer, time.monotonic())

    def pass_on(self, sock, packet, peer, now):
        if sock is self.from_near:
            self.up.went(packet, now)
            self.send(self.near, packet)
        elif sock is self.from_far:
            if self.far_peer:
                self.down.went(packet, now)
                self.far.sendto(packet, self.far_peer)
        elif sock is self.far:
            self.far_peer = peer
            self.up.came(packet, now)
            self.inner.sendto(packet, ("127.0.0.1", self.far_port))
        else:
            self.down.came(packet, now)
            self.inner.sendto(packet, ("127.0.0.1", self.near_port))

    @staticmethod
    def send(sock, packet):
        try:
            sock.send(packet)
        except ConnectionError:  # reports an earlier packet's ICMP error; this one was not sent
            sock.send(packet)

    def run(self):
        receivers = [start_receiver(self.wav[end], self.log) for end in ("near", "far")]
        self.processes += receivers
        self.near_port, self.far_port = (udp_port_of(r) for r in receivers)
        packets = int(self.options.seconds / PACKET_S)
        near = start_sender(NEAR_HERTZ, self.from_near.getsockname()[1], packets, self.log)
        self.processes.append(near)
        self.relay(20, until=lambda: self.far_peer is not None or near.poll() is not None)
        far = start_sender(FAR_HERTZ, self.from_far.getsockname()[1], packets, self.log)
        self.processes.append(far)
        self.relay(self.options.seconds + 20, until=lambda: near.poll() is not None and far.poll() is not None)
        self.relay(self.options.drain)
        for receiver in receivers:
            receiver.send_signal(signal.SIGINT)  # -e: writes the recording to its end
        for receiver in receivers:
            receiver.wait(timeout=10)

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        for sock in (self.near, self.inner, self.from_near, self.from_far):
            sock.close()

    def heard(self, end, hertz):
        try:
            return tone.analyse(self.wav[end], hertz, int(self.options.seconds / PACKET_S) * PACKET_S)
        except (OSError, EOFError, ValueError, tone.wave.Error) as e:
            return {"ok": False, "why": "no recording: %s" % e}

    def report(self, label):
        up, down = self.up.report(), self.down.report()
        up["tone"], down["tone"] = self.heard("far", NEAR_HERTZ), self.heard("near", FAR_HERTZ)
        return {"label": label, "seconds": self.options.seconds, "up": up, "down": down}


def drop_pending(sock):
    """What stragglers of the call before left behind."""
    sock.setblocking(False)
    try:
        while True:
            sock.recv(65536)
    except BlockingIOError:
        sock.setblocking(True)


def on_term(*_):
    sys.exit(143)  # through "finally": the GStreamer processes end with us


def main():
    signal.signal(signal.SIGTERM, on_term)
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--dir", required=True)
    a.add_argument("--sink", default="127.0.0.1:0")
    a.add_argument("--seconds", type=float, default=4)
    a.add_argument("--drain", type=float, default=0.7, help="seconds waited for stragglers")
    a.add_argument("--deadline", type=float, default=150, help="ms")
    options = a.parse_args()
    host, port = options.sink.rsplit(":", 1)
    far = udp((host, int(port)))
    print("ready udp %s:%d voice" % far.getsockname(), flush=True)
    with open(os.path.join(options.dir, "gstreamer.log"), "ab") as log:
        for line in sys.stdin:
            dest, _, label = line.strip().partition(" ")
            host, port = dest.rsplit(":", 1)
            drop_pending(far)
            call = Call(options, far, (host, int(port)), label or "call", log)
            try:
                call.run()
            finally:
                call.end()
            print(json.dumps(call.report(label), separators=(",", ":")), flush=True)


if __name__ == "__main__":
    main()
