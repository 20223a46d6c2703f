#!/usr/bin/python3
"""watch: runs a command that draws on a terminal, in one of ours, and looks at what is on the screen.

    watch.py [--seconds S] [--end INT|TERM|HUP] COMMAND...

The screen has 12 lines of 70 columns, then 40 of 100, then is as at first; each must be filled anew, and at once, with the same. At the
end the command gets the signal (INT: as ^C of the terminal). Prints the last large screen. Exit status: that of the command;
9 and a sentence when it left the terminal in another state or drew outside the screen.
"""
import argparse
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

SMALL, LARGE = (12, 70), (40, 100)
SEQUENCE = re.compile(rb"\033\[([?0-9;]*)([A-Za-z])")


class Wrong(Exception):
    pass


class Screen:
    """The few sequences that it takes; whatever else comes is wrong."""

    def __init__(self, rows, columns):
        self.resize(rows, columns)
        self.cursor_hidden = False
        self.homes = 0

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.lines = [b""] * rows
        self.row = 0
        self.fresh = True

    def feed(self, data):
        """Returns what is not whole yet."""
        while data:
            if data[:1] == b"\033":
                m = SEQUENCE.match(data)
                if not m:
                    return data
                self.sequence(m.group(1), m.group(2))
                data = data[m.end():]
                continue
            end = min(i for i in (data.find(b"\033"), data.find(b"\n"), len(data)) if i >= 0)
            self.text(data[:end].rstrip(b"\r"))
            if data[end:end + 1] == b"\n":
                self.row += 1
                if self.row >= self.rows:
                    raise Wrong("it drew more than %d lines" % self.rows)
                end += 1
            elif end == len(data):
                return b""
            data = data[end:]
        return b""

    def sequence(self, parameters, letter):
        if letter == b"H" and not parameters:
            self.row = 0
            self.homes += 1
            self.fresh = True
        elif letter == b"K":
            self.fresh = True
        elif letter == b"J":
            self.lines[self.row:] = [b""] * (self.rows - self.row)
        elif letter in b"lh" and parameters == b"?25":
            self.cursor_hidden = letter == b"l"
        else:
            raise Wrong("it sent the sequence %r" % (parameters + letter))

    def text(self, text):
        if not text:
            return
        self.lines[self.row] = text if self.fresh else self.lines[self.row] + text
        self.fresh = False
        if len(self.lines[self.row].decode()) > self.columns:
            raise Wrong("a line is longer than %d columns: %r" % (self.columns, self.lines[self.row]))


def set_size(fd, size):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[0], size[1], 0, 0))


class Watch:
    def __init__(self, options):
        self.options = options
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                # Not before the screen has its size.
                sys.stdin.readline()
                os.execvp(options.command[0], options.command)
            finally:
                os._exit(127)
        set_size(self.fd, SMALL)
        attributes = termios.tcgetattr(self.fd)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(self.fd, termios.TCSANOW, attributes)
        self.before = termios.tcgetattr(self.fd)
        self.screen = Screen(*SMALL)
        self.rest = b""
        self.prompt = 0     # changes of size that were followed at once
        os.write(self.fd, b"go\n")

    def read(self, seconds, until=lambda: False):
        """False at the end of the command."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            if not select.select([self.fd], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return False
            if not data:
                return False
            self.rest = self.screen.feed(self.rest + data)
        return True

    def show(self, size, seconds):
        """A new size; the command must follow at once and go on drawing."""
        first = self.screen.lines[0]
        if self.screen.homes:
            self.rest = b""
            self.screen.resize(*size)
            set_size(self.fd, size)
        was = self.screen.homes
        alive = self.read(5, lambda: self.screen.homes > was and self.screen.row > 1)
        if not alive or self.screen.homes == was:
            raise Wrong("it did not draw on a screen of %d lines" % size[0])
        if not self.screen.cursor_hidden:
            raise Wrong("the cursor is not hidden")
        # The same as before, cut to another size: not the next second's.
        self.prompt += first[:70] == self.screen.lines[0][:70]
        was = self.screen.homes
        self.read(seconds)
        if self.screen.homes <= was:
            raise Wrong("it drew nothing in %g s" % seconds)

    def end(self):
        if self.options.end == "INT":
            os.write(self.fd, b"\x03")
        else:
            os.kill(self.pid, getattr(signal, "SIG" + self.options.end))
        self.read(3)
        if self.screen.cursor_hidden:
            raise Wrong("it left the cursor hidden")
        for _ in range(100):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.kill(self.pid, signal.SIGKILL)
        raise Wrong("it does not end")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--seconds", type=float, default=1.5)
    a.add_argument("--end", default="INT")
    a.add_argument("command", nargs=argparse.REMAINDER)
    w = Watch(a.parse_args())
    try:
        w.show(SMALL, w.options.seconds)
        w.show(LARGE, w.options.seconds)
        large = b"\n".join(w.screen.lines).decode().rstrip()
        w.show(SMALL, w.options.seconds)
        if not w.prompt:
            raise Wrong("it follows a change of size with the next second only")
        status = w.end()
    except Wrong as e:
        sys.stderr.write("watch: %s\n" % e)
        sys.exit(9)
    print(large)
    try:
        after = termios.tcgetattr(w.fd)
    except termios.error:
        after = w.before
    if after != w.before:
        sys.stderr.write("watch: the terminal is not as it was\n")
        sys.exit(9)
    sys.exit(status)


if __name__ == "__main__":
    main()
