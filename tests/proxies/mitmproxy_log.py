"""mitmproxy add-on: its own log of what passed, a line for each, to the file named by EXCHANGES_LOG:
    time client kind method url status bytes-up bytes-down
kind is connect (CONNECT requests), exchange (HTTP seen inside), or tunnel (bytes passed on unseen).
With DENY_CONNECT=1 CONNECT is answered 403."""
import os
import time

from mitmproxy import http

log = open(os.environ["EXCHANGES_LOG"], "a", buffering=1)


def write(flow, kind, method, url, status, up, down):
    log.write("%.3f %s %s %s %s %d %d %d\n" % (time.time(), flow.client_conn.peername[0], kind, method, url, status, up, down))


def http_connect(flow):
    denied = os.environ.get("DENY_CONNECT")
    write(flow, "connect", "CONNECT", "%s:%d" % (flow.request.host, flow.request.port), 403 if denied else 200, 0, 0)
    if denied:
        flow.response = http.Response.make(403, b"no tunnels here\n")


def response(flow):
    if flow.request.method != "CONNECT":
        write(flow, "exchange", flow.request.method, flow.request.pretty_url, flow.response.status_code,
              len(flow.request.raw_content or b""), len(flow.response.raw_content or b""))


def tcp_start(flow):
    write(flow, "tunnel", "-", "-", 0, 0, 0)
