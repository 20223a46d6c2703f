#!/usr/bin/python3
"""openapi: does a culvertd do what server/openapi.yaml says, and nothing else? Each request goes out as the description has it; the answer's
status must be described, its headers and its body must fit. All that is described must have been seen in the end.

    check YAML PORT CERT BEARER OTHER JWT SILENT SLOW   BEARER, OTHER: of two identities; JWT: of the first, for another service than sig.
                                  SILENT, SLOW: ports to listen at: of a target that says nothing, and of one that hangs up. The server
                                  has the services sig (echo), nothing (refused), stuck, silent, slow and the origin https://app.example
                                  Prints "stop" when the server is to be stopped. Exit status 0: all is as described
"""
import base64
import http.client
import json
import os
import re
import socket
import ssl
import sys
import threading
import time

import jsonschema
import yaml

ORIGIN = "https://app.example"
METHODS = ["put", "post", "get", "delete", "options"]
# Only a client that is known to be behind a proxy, with thousands of requests at a time, gets these.
UNSEEN = {("end", "503"), ("ticket", "503")}


class Api:
    def __init__(self, path):
        with open(path) as f:
            self.root = yaml.safe_load(f)
        assert self.root["openapi"].startswith("3.1."), "the version"
        self.seen, self.ids = set(), {}
        self.walk(self.root)
        for template, item in self.root["paths"].items():
            for method in METHODS:
                if method in item:
                    assert item[method]["operationId"] not in self.ids, item[method]["operationId"]
                    self.ids[item[method]["operationId"]] = (template, method)
            named = {self.deref(p)["name"] for p in item.get("parameters", [])}
            assert named == set(re.findall(r"\{(\w+)\}", template)), template
        for template, item in self.root["paths"].items():	# what it gives as examples fits, too
            for method in METHODS:
                for kind in item.get(method, {}).get("requestBody", {}).get("content", {}).values():
                    if "example" in kind:
                        self.fits(kind["example"], kind["schema"])

    def walk(self, node):
        if isinstance(node, dict):
            if "$ref" in node:
                self.deref(node)
            for child in node.values():
                self.walk(child)
        elif isinstance(node, list):
            for child in node:
                self.walk(child)

    def deref(self, node):
        while "$ref" in node:
            at = self.root
            for name in node["$ref"].removeprefix("#/").split("/"):
                at = at[name]
            node = at
        return node

    def fits(self, value, schema):
        root = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": self.root["components"], "allOf": [schema]}
        jsonschema.Draft202012Validator(root).validate(value)

    def request_fits(self, operation, kind, body):
        template, method = self.ids[operation]
        content = self.root["paths"][template][method].get("requestBody", {}).get("content", {})
        if body:
            assert kind in content, "%s of %s" % (kind, operation)
            if kind == "application/json":
                self.fits(json.loads(body), content[kind]["schema"])

    def answer_fits(self, operation, answer):
        template, method = self.ids[operation]
        responses = self.root["paths"][template][method]["responses"]
        assert str(answer.status) in responses, "%s answers %d, which is not described: %s" % (operation, answer.status, answer.body[:500])
        self.fits_response(self.deref(responses[str(answer.status)]), answer)
        self.seen.add((operation, str(answer.status)))

    def fits_response(self, response, answer, head=False):
        for name, header in response.get("headers", {}).items():
            header, value = self.deref(header), answer.headers.get(name)
            assert value is not None or not header.get("required"), "no %s" % name
            if value is not None:
                self.fits(value, header["schema"])
        content = response.get("content", {})
        if head or (not content and not answer.body):
            return
        kind = answer.headers.get("Content-Type", "none")
        assert kind in content, "%s is not described" % kind
        if kind.endswith("json"):
            self.fits(json.loads(answer.body), content[kind]["schema"])


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    def json(self):
        return json.loads(self.body)


class Client:
    def __init__(self, api, port, cert, bearer):
        self.api, self.port, self.bearer = api, port, bearer
        self.context = ssl.create_default_context(cafile=cert)

    def send(self, method, target, headers, body=None):
        c = http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=40)
        if body and len(body) > 2 << 20:	# who says how long it is gets the answer before it is all there
            headers = {**headers, "Content-Length": str(len(body))}
            body = body[:1000]
        c.request(method, target, body=body, headers=headers)
        r = c.getresponse()
        answer = Answer(r, r.read())
        c.close()
        return answer

    def path(self, operation, sid, service):
        return "/culvert" + self.api.ids[operation][0].replace("{sid}", sid).replace("{service}", service)

    # A request that is as described, but for what `lie` says; and its answer, whose status is expected.
    def ask(self, status, operation, sid, service="sig", body=None, kind="application/json", query="", bearer=None, lie=False, **more):
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        if bearer != "" and operation not in ("preflight", "preflight-ticket", "preflight-turn"):
            headers["Authorization"] = "Bearer " + (bearer or self.bearer)
        if body is not None:
            headers["Content-Type"] = kind
            body = body if isinstance(body, (bytes, str)) else json.dumps(body)
        if not lie:
            self.api.request_fits(operation, kind, body)
        answer = self.send(self.api.ids[operation][1].upper(), self.path(operation, sid, service) + query, headers, body)
        try:
            assert answer.status == status, "%d" % answer.status
            self.api.answer_fits(operation, answer)
        except (AssertionError, jsonschema.ValidationError) as e:
            raise SystemExit("%s of %s, %s: wanted %d: %s: %s" % (operation, service, body and body[:100], status, e, answer.body[:500]))
        return answer


def new():
    return base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")


def record(kind, payload):
    return bytes([kind]) + len(payload).to_bytes(3, "big") + payload


def life(c):
    s, text = new(), {"seq": 1, "after": 0, "wait": 5, "messages": ["one"]}
    assert c.ask(201, "open", s, body={"protocols": ["janus-protocol"]}, Origin=ORIGIN).json()["protocol"] == "janus-protocol"
    c.ask(200, "open", s)
    assert c.ask(200, "exchange", s, body=text).json()["messages"] == ["one"]
    c.ask(200, "exchange", s, body={"seq": 2, "messages": [{"binary": "AAEC"}], "quiet": True})
    head = record(16, b'{"after":1,"wait":5}')
    assert c.ask(200, "exchange", s, body=head, kind="application/octet-stream").body.endswith(record(2, b"\0\1\2"))
    assert c.ask(200, "receive", s, query="?after=1&wait=5").json()["messages"] == [{"binary": "AAEC"}]
    events = c.ask(200, "receive", s, query="?after=1&for=1&keepalive=1", Accept="text/event-stream", Last_Event_ID="1")
    assert b"id: 2\nevent: binary\ndata: AAEC\n\n" in events.body and events.headers["X-Accel-Buffering"] == "no"
    assert events.headers["Cache-Control"] == "no-store, no-transform"
    c.ask(200, "receive", s, query="?stream=1&for=1", Accept="application/octet-stream")
    c.ask(204, "receive", s, query="?after=2")
    ticket = c.ask(200, "ticket", s, Origin=ORIGIN).json()["ticket"]
    c.ask(204, "receive", s, query="?after=2&ticket=" + ticket, bearer="", Origin=ORIGIN)
    closed = c.ask(200, "exchange", s, body={"seq": 3, "after": 2, "wait": 5, "messages": ["close 4001 so"]}).json()
    assert closed["messages"] == [{"close": [4001, "so"]}] and closed["state"] == "closed", closed
    c.ask(204, "end", s)
    c.ask(204, "end", s)
    for operation in ("open", "exchange", "receive", "ticket"):
        c.ask(410, operation, s, body={} if operation == "exchange" else None)


def wrong(c, other, jwt):
    s, all_of = new(), ("open", "exchange", "receive", "end", "ticket")
    c.ask(201, "open", s)
    for operation in all_of:
        body = {} if operation == "exchange" else None
        if operation != "open":
            c.ask(404, operation, new(), body=body)
            c.ask(404, operation, s, body=body, bearer=other)
        c.ask(400, operation, "short", body=body)
        c.ask(401, operation, s, body=body, bearer="")
        c.ask(403, operation, s, body=body, Origin="https://evil.example")
        c.ask(403, operation, s, body=body, bearer=jwt)
        c.ask(409, operation, s, service="nothing", body=body)
    c.ask(404, "open", new(), service="other")
    c.ask(413, "open", new(), body=b"{}" + b" " * (2 << 20), lie=True)
    c.ask(413, "exchange", s, body={"seq": 1, "messages": ["x" * 1100000]})
    for operation in ("open", "exchange", "ticket"):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            c.ask(415, operation, s, body="{}", kind=kind, lie=True)
    for body in ("{", "[]", '{"seq":0}', '{"messages":["x"]}', '{"seq":1,"messages":[1]}', '{"wait":-1}', '{"quiet":1}', '{"seq":1,"seq":1}'):
        c.ask(400, "exchange", s, body=body, lie=True)
    for query in ("?after=-1", "?after=x", "?after=9007199254740992", "?for=0", "?after=1&after=1", "?keepalive=61"):
        c.ask(400, "receive", s, query=query)
    c.ask(409, "exchange", s, body={"after": 7})
    c.ask(409, "receive", s, query="?after=7")
    for operation in ("preflight", "preflight-ticket", "preflight-turn"):
        assert c.ask(204, operation, s, Origin=ORIGIN).headers["Access-Control-Allow-Origin"] == ORIGIN
        assert c.ask(204, operation, s).headers.get("Access-Control-Allow-Origin") is None
        assert c.ask(403, operation, s, Origin="https://evil.example").headers.get("Access-Control-Allow-Origin") is None
    c.ask(204, "end", s)
    assert c.ask(200, "turn", s, Origin=ORIGIN).json()["username"].endswith(":tester")
    c.ask(401, "turn", s, bearer="")
    c.ask(401, "turn", s, query="?ticket=x", bearer="")
    c.ask(403, "turn", s, Origin="https://evil.example")
    c.ask(403, "turn", s, bearer=jwt)


def others(c):
    """Methods and paths that are not described."""
    api, headers = c.api, {"Authorization": "Bearer " + c.bearer}
    for template, item in api.root["paths"].items():
        path = "/culvert" + template.replace("{sid}", new()).replace("{service}", "sig")
        allowed = {m.upper() for m in METHODS if m in item}
        for method in ["HEAD", "PATCH", "PUT", "GET", "DELETE", "TRACE", "PROPFIND", "MKCOL", "REPORT"]:
            if method in allowed:
                continue
            answer = c.send(method, path, headers)
            assert answer.status == 405, "%s %s: %d" % (method, path, answer.status)
            api.fits_response(api.deref(api.root["x-other-methods"]), answer, method == "HEAD")
            assert set(answer.headers["Allow"].split(", ")) == allowed, answer.headers["Allow"]
    sid = new()
    for path in ("", "/", "/sig/", "/sig/x", "/sig/ticket/", "/sig/ticket/x", "/SIG", "/a%20b"):
        for method in ("PUT", "POST", "GET", "DELETE"):
            answer = c.send(method, "/culvert/v1/%s/signal%s" % (sid, path), headers)
            if answer.status == 405 and "/ticket" in path:
                continue
            assert answer.status == 400, "%s signal%s: %d" % (method, path, answer.status)
            api.fits_response(api.deref(api.root["x-other-paths-below"]), answer)
    for path in ("/", "/culvert/v1/%s/other/sig" % sid, "/culvert/v2/%s/signal/sig" % sid, "/culvert/v1/openapi.yaml"):
        answer = c.send("GET", path, headers)
        assert answer.status == 404 and "json" not in answer.headers.get("Content-Type", ""), "%s: %d" % (path, answer.status)


def together(*calls):
    failed = []

    def run(call):
        try:
            call()
        except BaseException as e:  # the thread's, for the end
            failed.append(e)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for t in threads:
        t.start()
        time.sleep(0.1)
    for t in threads:
        t.join()
    if failed:
        raise failed[0]


def targets(c, silent, slow):
    """Targets that are not there, hang up or say nothing, while other requests wait for them."""
    a = [new() for _ in range(4)]
    c.ask(502, "open", new(), service="nothing")
    together(lambda: c.ask(502, "open", a[0], service="slow"), lambda: c.ask(502, "exchange", a[0], service="slow", body={"wait": 20}),
             lambda: c.ask(502, "open", a[1], service="slow"), lambda: c.ask(502, "receive", a[1], service="slow", query="?wait=20"),
             lambda: c.ask(504, "open", a[2], service="silent"), lambda: c.ask(504, "exchange", a[2], service="silent", body={"wait": 20}),
             lambda: c.ask(504, "open", a[3], service="silent"), lambda: c.ask(504, "receive", a[3], service="silent", query="?wait=20"))


def listen(port, hang_up):
    """A target at that port: it takes connections, and that is all."""
    server, kept = socket.create_server(("127.0.0.1", port)), []

    def serve():
        while True:
            connection, _ = server.accept()
            kept.append(connection)
            if hang_up:
                threading.Timer(1, lambda at=connection: at.shutdown(socket.SHUT_RDWR)).start()

    threading.Thread(target=serve, daemon=True).start()


def limits(c):
    s, number = new(), 1
    c.ask(201, "open", s, service="stuck")
    for number in range(1, 100):	# until the window and what lies behind it is full
        answer = c.send("POST", c.path("exchange", s, "stuck"), {"Authorization": "Bearer " + c.bearer, "Content-Type": "application/json"},
                        json.dumps({"seq": number, "messages": ["x" * 200000]}))
        c.api.answer_fits("exchange", answer)
        if answer.status == 429:
            assert answer.json()["code"] == "window"
            break
    else:
        raise SystemExit("no limit to what may wait")
    c.ask(204, "end", s, service="stuck")
    made = []
    while len(made) < 100:
        answer = c.send("PUT", c.path("open", new(), "sig"), {"Authorization": "Bearer " + c.bearer})
        c.api.answer_fits("open", answer)
        if answer.status == 503:
            break
        made.append(answer.json()["sid"])
    assert len(made) < 100, "no limit of sessions"
    for _ in range(40):
        c.send("GET", c.path("receive", made[0], "sig"), {"Authorization": "Bearer wrong"})
    for operation in ("open", "exchange", "receive", "end", "ticket"):
        assert c.ask(429, operation, made[0], body={} if operation == "exchange" else None, bearer="wrong").json()["code"] == "rate"
    c.ask(429, "turn", made[0], bearer="wrong")
    together(lambda: c.ask(503, "exchange", made[0], body={"wait": 20}), lambda: c.ask(503, "receive", made[1], query="?wait=20"),
             lambda: print("stop", flush=True))


def main(path, port, cert, bearer, other, jwt, silent, slow):
    api = Api(path)
    c = Client(api, int(port), cert, bearer)
    listen(int(silent), False)
    listen(int(slow), True)
    life(c)
    wrong(c, other, jwt)
    others(c)
    targets(c, silent, slow)
    limits(c)
    described = {(operation, status) for operation, (template, method) in api.ids.items()
                 for status in api.root["paths"][template][method]["responses"]}
    missing = described - api.seen - UNSEEN
    assert not missing, "described, but never answered: %s" % sorted(missing)
    print("%d of %d answers seen" % (len(api.seen), len(described)))


if len(sys.argv) == 10 and sys.argv[1] == "check":
    main(*sys.argv[2:])
else:
    sys.exit(__doc__)
