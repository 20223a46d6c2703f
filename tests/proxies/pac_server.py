"""Serves the files of a directory, by HTTPS with a certificate: pac_server.py DIR [CERT KEY]. "ready tcp ADDR:PORT pac"; each
request is a line on standard output. PAC_LISTEN=ADDR:PORT says where."""
import http.server
import os
import ssl
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {"": "application/x-ns-proxy-autoconfig"}

    def __init__(self, *args):
        super().__init__(*args, directory=sys.argv[1])

    def log_message(self, fmt, *args):
        print("request", fmt % args, flush=True)


address, port = os.environ.get("PAC_LISTEN", "127.0.0.1:0").split(":")
server = http.server.ThreadingHTTPServer((address, int(port)), Handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready tcp %s:%d pac" % server.server_address[:2], flush=True)
server.serve_forever()
