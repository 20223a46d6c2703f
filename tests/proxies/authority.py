"""A test CA on disk and the certificates it signs, made with the openssl program.

As a program: authority.py DIR NAME [NAME...] makes DIR/ca.crt if it is missing,
then DIR/NAME.crt and DIR/NAME.key for each name, and prints nothing.
"""
import os
import re
import subprocess
import sys
import threading


def openssl(*args, stdin=None):
    done = subprocess.run(("openssl",) + args, input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError("openssl %s: %s" % (args[0], done.stderr.strip()))


KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    def __init__(self, directory, common_name="test authority"):
        self.directory = directory
        self.lock = threading.Lock()
        os.makedirs(directory, exist_ok=True)
        self.cert, self.key = self.path("ca.crt"), self.path("ca.key")
        if not os.path.exists(self.cert):
            openssl("req", "-x509", *KEY, "-days", "30", "-subj", "/CN=" + common_name, "-keyout", self.key, "-out", self.cert,
                    "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def path(self, name):
        return os.path.join(self.directory, name)

    def issue(self, host):
        """(certificate file, key file) for a host name or address; made once."""
        with self.lock:
            stem = self.path(re.sub(r"[^A-Za-z0-9.-]", "_", host))
            crt, key, csr, ext = (stem + end for end in (".crt", ".key", ".csr", ".ext"))
            if not os.path.exists(crt):
                kind = "IP" if re.fullmatch(r"[0-9.]+|.*:.*", host) else "DNS"
                with open(ext, "w") as f:
                    f.write("subjectAltName=%s:%s\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n" % (kind, host))
                openssl("req", *KEY, "-subj", "/CN=" + host[:64], "-keyout", key, "-out", csr)
                openssl("x509", "-req", "-in", csr, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", "30",
                        "-extfile", ext, "-out", crt)
            return crt, key


if __name__ == "__main__":
    authority = Authority(sys.argv[1])
    for each in sys.argv[2:]:
        authority.issue(each)
