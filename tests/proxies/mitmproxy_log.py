"""mitmproxy add-on: its own log of what passed, a line for each, to the file named by EXCHANGES_LOG:
    time client kind method url status bytes-up bytes-down
kind is connect (CONNECT requests), exchange (HTTP seen inside), or tunnel (bytes passed on unseen)."""
import os
import time

log = open(os.environ["EXCHANGES_LOG"], "a", buffering=1)


def write(flow, kind, method, url, status, up, down):
    log.write("%.3f %s %s %s %s %d %d %d\n" % (time.time(), flow.client_conn.peername[0], kind, method, url, status, up, down))


def http_connect(flow):
    write(flow, "connect", "CONNECT", "%s:%d" % (flow.request.host, flow.request.port), 200, 0, 0)


def response(flow):
    write(flow, "exchange", flow.request.method, flow.request.pretty_url, flow.response.status_code,
          len(flow.request.raw_content or b""), len(flow.response.raw_content or b""))


def tcp_start(flow):
    write(flow, "tunnel", "-", "-", 0, 0, 0)
