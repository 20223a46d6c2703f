"""A website that answers every request with the address that it is told to come from. Prints "ready http ADDR:PORT who"."""
import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = ", ".join(self.headers.get_all("X-Forwarded-For") or ["nobody"]).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("ready http 127.0.0.1:%d who" % server.server_port, flush=True)
server.serve_forever()
