#!/usr/bin/python3
"""bundle: sends what a browser's call sends from one port, in 2 s: STUN, RTCP, 100 packets of audio, 50 frames of video
in 3 packets each, and 20 packets of something else.

    bundle DEST [--dscp N]

Prints how many echoes came. DEST is ADDR:PORT.
"""
import argparse
import socket
import struct
import time

STUN = struct.pack("!HHI12x", 1, 0, 0x2112A442)
RTCP = struct.pack("!BBHI", 0x81, 201, 7, 0x11111111) + bytes(24)
OTHER = b"\xff" * 200


def rtp(kind, marker, sequence, time_stamp, ssrc, size):
    return struct.pack("!BBHII", 0x80, kind | marker << 7, sequence, time_stamp, ssrc) + bytes(size)


def packets(tick):
    """What is sent in the tick-th 20 ms."""
    yield rtp(111, 0, tick, tick * 960, 0x11111111, 110)
    if tick % 2 == 0:
        frame = tick // 2
        for part in range(3):
            yield rtp(96, part == 2, frame * 3 + part, frame * 3600, 0x22222222, 700)
    if tick % 5 == 0:
        yield OTHER
    if tick % 10 == 0:
        yield RTCP
    if tick % 10 == 9 and tick < 99:
        yield STUN


def read(sock, until):
    """How many packets come until then."""
    count = 0
    while (left := until - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            count += len(sock.recv(2048)) > 0
        except socket.timeout:
            pass
    return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dest")
    parser.add_argument("--dscp", type=int, default=0)
    options = parser.parse_args()
    host, port = options.dest.rsplit(":", 1)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, options.dscp << 2)
    sock.connect((host, int(port)))
    sock.send(STUN)     # as ICE does: by the time of the echo the channel is open
    sock.settimeout(10)
    echoes = len(sock.recv(2048)) > 0
    begin = time.monotonic()
    for tick in range(100):
        echoes += read(sock, begin + tick * 0.02)
        for data in packets(tick):
            sock.send(data)
    print(echoes + read(sock, time.monotonic() + 1))


if __name__ == "__main__":
    main()
