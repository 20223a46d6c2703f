#!/usr/bin/python3
"""tone: does a recording hold the tone that was sent? tone.py FILE.wav HZ SECONDS

Prints JSON: seconds from the first to the last of the tone, its measured frequency, the longest gap in ms,
the share of blocks that are tone; ok and, where it is not, why.
16-bit mono WAV; HZ should be a multiple of 100, so that a block of 10 ms holds whole periods.
"""
import json
import math
import sys
import wave
from array import array

BLOCK_MS = 10
LONGEST_GAP_MS = 40  # two packets of 20 ms


def samples_of(path):
    with wave.open(path, "rb") as w:
        if w.getnchannels() != 1 or w.getsampwidth() != 2:
            raise ValueError("not 16-bit mono: " + path)
        data = array("h")
        data.frombytes(w.readframes(w.getnframes()))
        return data, w.getframerate()


def tone_level(block, rate, hertz):
    """(amplitude of the tone, its share of the block's energy), by Goertzel's algorithm."""
    k = 2 * math.cos(2 * math.pi * hertz / rate)
    s1 = s2 = energy = 0.0
    for x in block:
        s1, s2 = x + k * s1 - s2, s1
        energy += x * x
    power = s1 * s1 + s2 * s2 - k * s1 * s2
    n = len(block)
    return 2 * math.sqrt(max(power, 0)) / n, min(2 * power / (n * energy), 1.0) if energy else 0.0


def frequency(samples, rate):
    """By the times of the rising zero crossings."""
    crossings = [i + samples[i] / (samples[i] - samples[i + 1]) for i in range(len(samples) - 1) if samples[i] < 0 <= samples[i + 1]]
    if len(crossings) < 2:
        return 0.0
    return (len(crossings) - 1) * rate / (crossings[-1] - crossings[0])


def longest_run(flags):
    longest = run = 0
    for flag in flags:
        run = 0 if flag else run + 1
        longest = max(longest, run)
    return longest


def analyse(path, hertz, seconds):
    samples, rate = samples_of(path)
    size = rate * BLOCK_MS // 1000
    levels = [tone_level(samples[i:i + size], rate, hertz) for i in range(0, len(samples) - size + 1, size)]
    loud = sorted(a for a, _ in levels)[len(levels) * 3 // 4] if levels else 0
    tone = [loud > 500 and a > loud / 2 and share > 0.8 for a, share in levels]
    if not any(tone):
        return {"ok": False, "why": "no tone of %d Hz" % hertz, "seconds": 0}
    first, last = tone.index(True), len(tone) - 1 - tone[::-1].index(True)
    held = tone[first:last + 1]
    result = {
        "seconds": len(held) * BLOCK_MS / 1000,
        "hertz": round(frequency(samples[first * size:(last + 1) * size], rate), 1),
        "longest_gap_ms": longest_run(held) * BLOCK_MS,
        "tone_share": round(sum(held) / len(held), 4),
    }
    why = []
    if result["seconds"] < seconds - 0.1 or result["seconds"] > seconds + 0.2:
        why.append("%.2f s instead of %.2f" % (result["seconds"], seconds))
    if abs(result["hertz"] - hertz) > hertz * 0.01:
        why.append("%.1f Hz instead of %d" % (result["hertz"], hertz))
    if result["longest_gap_ms"] > LONGEST_GAP_MS:
        why.append("a gap of %d ms" % result["longest_gap_ms"])
    result["ok"] = not why
    if why:
        result["why"] = ", ".join(why)
    return result


if __name__ == "__main__":
    outcome = analyse(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    print(json.dumps(outcome))
    sys.exit(0 if outcome["ok"] else 1)
