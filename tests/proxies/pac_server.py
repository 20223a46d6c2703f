"""Serves the files of a directory, by HTTPS with a certificate: pac_server.py DIR [CERT KEY]. "ready tcp ADDR:PORT pac"; each
request is a line on standard output."""
import http.server
import ssl
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {"": "application/x-ns-proxy-autoconfig"}

    def __init__(self, *args):
        super().__init__(*args, directory=sys.argv[1])

    def log_message(self, fmt, *args):
        print("request", fmt % args, flush=True)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready tcp 127.0.0.1:%d pac" % server.server_address[1], flush=True)
server.serve_forever()
