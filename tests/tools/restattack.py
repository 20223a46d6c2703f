"""What nobody may do to a REST server, and what those who may must be able to: origins, cookies, content types, JWTs, tickets, rates.
usage: restattack.py PORT CAFILE TOKENFILE KEYFILE SECRETSFILE. The token file has the identities page and other; allowed pages are of
https://app.example and http://localhost:3000. Every secret that is sent is written down. Prints how many cases there were."""
import base64
import hashlib
import hmac
import http.client
import itertools
import json
import os
import ssl
import subprocess
import sys
import time

PORT, CAFILE, TOKENFILE, KEYFILE, SECRETS = int(sys.argv[1]), *sys.argv[2:6]
TOKENS = dict(line.strip().split(":", 1) for line in open(TOKENFILE) if ":" in line)
PAGE, OTHER = TOKENS["page"].encode(), TOKENS["other"].encode()
APP = "https://app.example"
addresses = ("127.%d.%d.%d" % (1 + n // 62500, n // 250 % 250, 1 + n % 250) for n in itertools.count())
secrets = open(SECRETS, "a")
cases = failures = 0


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else data.encode()).rstrip(b"=").decode()


def jwt(claims, key=PAGE, header='{"alg":"HS256","typ":"JWT"}', digest=hashlib.sha256):
    if isinstance(claims, dict):
        claims = json.dumps(claims)
    text = b64(header) + "." + b64(claims)
    return text + "." + b64(hmac.new(key, text.encode(), digest).digest())


def good(**more):
    return {"sub": "page", "exp": int(time.time()) + 600, **more}


def bearer(name, token=None):
    return b64("%s:%s" % (name, token or TOKENS[name]))


def sid():
    return b64(os.urandom(16))


def resource(which=None, service="sig"):
    return "/culvert/v1/%s/signal/%s" % (which or sid(), service)


class Client:
    """From an address of its own: failures are counted by address."""

    def __init__(self):
        context = ssl.create_default_context(cafile=CAFILE)
        self.c = http.client.HTTPSConnection("localhost", PORT, context=context, timeout=10, source_address=(next(addresses), 0))
        self.c._create_connection = lambda address, timeout, source: __import__("socket").create_connection(("127.0.0.1", PORT), timeout, source)

    def ask(self, method, url, credential=None, origin=None, type=None, body=None, headers=()):
        self.c.putrequest(method, url, skip_accept_encoding=True)
        if credential is not None:
            secrets.write(credential + "\n")
            self.c.putheader("Authorization", "Bearer " + credential)
        if origin is not None:
            self.c.putheader("Origin", origin)
        if type is not None:
            self.c.putheader("Content-Type", type)
        for name, value in headers:
            self.c.putheader(name, value)
        body = body.encode() if isinstance(body, str) else body
        if body is not None or method in ("PUT", "POST"):
            self.c.putheader("Content-Length", str(len(body or b"")))
        self.c.endheaders(body)
        r = self.c.getresponse()
        data = r.read()
        try:
            value = json.loads(data) if data else {}
        except ValueError:
            value = {}
        return r.status, value.get("code"), {k.lower(): v for k, v in r.getheaders()}, value


def ask(*args, **more):
    client = Client()
    try:
        return client.ask(*args, **more)
    finally:
        client.c.close()


def expect(what, answer, status, code=None):
    global cases, failures
    cases += 1
    if answer[0] != status or (code and answer[1] != code):
        failures += 1
        print("%s: %s, not %d %s" % (what, answer[:4], status, code), file=sys.stderr)
    return answer


def must(what, condition):
    global cases, failures
    cases += 1
    if not condition:
        failures += 1
        print("not so: " + what, file=sys.stderr)


def cors_of(answer):
    return sorted(k for k in answer[2] if k.startswith("access-control-"))


def origins():
    wrong = ["null", "https://evil.example", "https://app.example.evil.example", "https://evil.app.example", "https://app.example:444", "http://app.example",
             "https://APP.example", "https://app.example/", "", "*", "https://app.example https://evil.example", "https://app.example, https://evil.example"]
    credentials = [bearer("page"), jwt(good()), None]
    methods = [("PUT", ""), ("POST", ""), ("GET", ""), ("DELETE", ""), ("POST", "/ticket"), ("OPTIONS", ""), ("PATCH", "")]
    mine = resource()
    expect("a session", ask("PUT", mine, jwt(good())), 201)
    for origin, (method, more), credential in itertools.product(wrong, methods, credentials):
        answer = expect("%s%s of a page of %r" % (method, more, origin), ask(method, mine + more, credential, origin, "application/json"), 403, "origin")
        must("no CORS for %r" % origin, not cors_of(answer))
    for origin in (APP, "http://localhost:3000"):
        for method, more in methods:
            for credential in credentials:
                url = resource()
                answer = ask(method, url + more, credential, origin, "application/json", "{}" if method == "POST" else None)
                must("ACAO %s for %s%s: %s" % (origin, method, more, answer[2]), answer[2].get("access-control-allow-origin") == origin)
                must("Vary", answer[2].get("vary") == "Origin")
                must("no credentials by cookies", "access-control-allow-credentials" not in answer[2])
                if method not in ("OPTIONS", "PATCH"):
                    expect("%s of %s with %s" % (method, origin, bool(credential)), answer, 401 if not credential else 201 if method == "PUT" else 404)
                    must("Retry-After can be read", answer[2].get("access-control-expose-headers") == "Retry-After")
    answer = expect("preflight", ask("OPTIONS", mine, None, APP, headers=[("Access-Control-Request-Method", "PUT")]), 204)
    must("preflight lasts", answer[2].get("access-control-max-age") == "7200" and "access-control-allow-private-network" not in answer[2])
    for suffix, origin, lets in (("", APP, "true"), ("/ticket", APP, "true"), ("", "https://evil.example", None)):
        answer = ask("OPTIONS", mine + suffix, None, origin, headers=[("Access-Control-Request-Private-Network", "true")])
        must("private network of %s" % origin, answer[2].get("access-control-allow-private-network") == lets)
    expect("the session lived through it", ask("GET", mine, jwt(good())), 204)


def cookies_and_types():
    mine, cookie = resource(), "culvert=%s; Authorization=Bearer %s" % (bearer("page"), bearer("page"))
    for method in ("PUT", "POST", "GET", "DELETE"):
        for origin in (None, APP):
            expect("cookies alone", ask(method, mine, None, origin, "application/json", headers=[("Cookie", cookie)]), 401, "credential")
    for type in ("text/plain", "text/plain;charset=UTF-8", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/jsonx",
                 "text/plain; application/json", "application/json, text/plain", "", "text/event-stream"):
        for method in ("PUT", "POST"):
            expect("%s as %r" % (method, type), ask(method, mine, bearer("page"), APP, type, "{}"), 415, "type")
    expect("POST without a type", ask("POST", mine, bearer("page"), APP, None, "{}"), 415, "type")
    expect("PUT with a body without a type", ask("PUT", mine, bearer("page"), APP, None, "{}"), 415, "type")
    expect("nothing was made of all that", ask("GET", mine, bearer("page")), 404, "session")
    expect("JSON with a parameter", ask("PUT", mine, bearer("page"), APP, "application/json; charset=utf-8", "{}"), 201)
    expect("a ticket by a form", ask("POST", mine + "/ticket", bearer("page"), APP, "application/x-www-form-urlencoded", "a=b"), 415, "type")


def jwts():
    now = int(time.time())
    public = subprocess.run(["openssl", "pkey", "-in", KEYFILE, "-pubout"], capture_output=True, check=True).stdout
    text = b64('{"alg":"RS256"}') + "." + b64(json.dumps(good()))
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", KEYFILE], input=text.encode(), capture_output=True, check=True).stdout
    whole = jwt(good())
    head, claims, signature = whole.split(".")
    derived = hmac.new(PAGE, b"culvert v1 request", hashlib.sha256).digest()
    bad = {
        "no algorithm, unsigned": b64('{"alg":"none"}') + "." + claims + ".",
        "NONE": b64('{"alg":"NONE"}') + "." + claims + "." + signature,
        "none, signed": jwt(good(), header='{"alg":"none"}'),
        "RS256 with the server's key": text + "." + b64(signed),
        "RS256 that is HS256": jwt(good(), header='{"alg":"RS256"}'),
        "the public key as a token": jwt(good(), public),
        "the certificate as a token": jwt(good(), open(CAFILE, "rb").read()),
        "HS512": jwt(good(), header='{"alg":"HS512"}', digest=hashlib.sha512),
        "HS384 cut to 32 octets": jwt(good(), header='{"alg":"HS384"}'),
        "HS256 said, SHA-512 used": jwt(good(), digest=hashlib.sha512),
        "crit": jwt(good(), header='{"alg":"HS256","crit":["b64"],"b64":false}'),
        "two algs": jwt(good(), header='{"alg":"none","alg":"HS256"}'),
        "alg in lower case": jwt(good(), header='{"alg":"hs256"}'),
        "another identity's key": jwt(good(), OTHER),
        "another identity's name": jwt({"sub": "other", "exp": now + 60}),
        "nobody's name": jwt({"sub": "nobody", "exp": now + 60}),
        "no name": jwt({"exp": now + 60}),
        "an empty key": jwt(good(), b""),
        "the helpers' key": jwt(good(), derived),
        "the key with a line feed": jwt(good(), PAGE + b"\n"),
        "the whole line as a key": jwt(good(), b"page:" + PAGE),
        "the key decoded": jwt(good(), base64.urlsafe_b64decode(PAGE + b"=")),
        "expired": jwt(good(exp=now - 1)),
        "no exp": jwt({"sub": "page"}),
        "exp in milliseconds": jwt(good(exp=(now + 60) * 1000)),
        "exp too far": jwt(good(exp=now + 86400 + 120)),
        "exp as text": jwt(good(exp=str(now + 60))),
        "exp is infinite": jwt('{"sub":"page","exp":1e999}'),
        "exp is not a number": jwt('{"sub":"page","exp":NaN}'),
        "nbf to come": jwt(good(nbf=now + 300)),
        "nbf as text": jwt(good(nbf="0")),
        "wrong aud": jwt(good(aud="other")),
        "wrong auds": jwt(good(aud=["other", "culverts"])),
        "exp twice": jwt('{"sub":"page","exp":1,"exp":%d}' % (now + 60)),
        "sub twice": jwt('{"sub":"other","sub":"page","exp":%d}' % (now + 60)),
        "signature cut": whole[:-1],
        "signature cut to half": whole[:-22],
        "signature missing": head + "." + claims + ".",
        "no signature part": head + "." + claims,
        "signature padded": whole + "=",
        "signature twice": whole + "." + signature,
        "another's signature": jwt(good(exp=now + 300)).rsplit(".", 1)[0] + "." + signature,
        "claims altered": head + "." + b64(json.dumps(good(svc="x"))) + "." + signature,
        "parts swapped": claims + "." + head + "." + signature,
        "huge claims": jwt(good(x="x" * 4000)),
        "huge header": jwt(good(), header='{"alg":"HS256","x":"%s"}' % ("x" * 600)),
        "not UTF-8": jwt(b'{"sub":"page\xff","exp":%d}' % (now + 60)),
        "a NUL": jwt('{"sub":"page\\u0000","exp":%d}' % (now + 60)),
        "an array": jwt('["page"]'),
        "dots": "..",
        "a dot": ".",
    }
    for what, credential in bad.items():
        url = resource()
        answer = expect(what, ask("PUT", url, credential), 401, "credential")
        must(what + ": WWW-Authenticate", answer[2].get("www-authenticate") == "Bearer")
        expect(what + ": and nothing was made", ask("GET", url, whole), 404, "session")
    must("an answer says nothing of names", ask("PUT", resource(), bad["nobody's name"])[3] == ask("PUT", resource(), bad["another identity's key"])[3])
    fine = {"plain": good(), "aud": good(aud="culvert"), "auds": good(aud=["x", "culvert"]), "svc": good(svc="sig"), "svcs": good(svc=["x", "sig"]),
            "nbf": good(nbf=now), "a fast clock": good(nbf=now + 20), "float": good(exp=now + 60.5), "iat": good(iat=now + 9999, jti="x")}
    for what, claims in fine.items():
        expect("good: " + what, ask("PUT", resource(), jwt(claims)), 201)
    for svc in ("other", [], ["other"], "", None, 7, {"sig": 1}, ["SIG"], "*"):
        url = resource()
        expect("svc %r" % (svc,), ask("PUT", url, jwt(good(svc=svc))), 403, "service")
        expect("svc %r: nothing made" % (svc,), ask("GET", url, whole), 404, "session")


def sessions_and_tickets():
    one, mine, theirs = sid(), jwt(good()), jwt({"sub": "other", "exp": int(time.time()) + 600}, OTHER)
    url, second = resource(one), resource()
    for each in (url, second):
        expect("a session", ask("PUT", each, mine), 201)
    for method in ("GET", "DELETE", "POST"):
        expect("another identity's session", ask(method, url, theirs, type="application/json", body="{}" if method == "POST" else None), 404, "session")
    expect("another identity's ticket", ask("POST", url + "/ticket", theirs), 404, "session")
    expect("svc of another service, later", ask("GET", url, jwt(good(svc="x"))), 403, "service")
    expect("svc of another service, for a ticket", ask("POST", url + "/ticket", jwt(good(svc="x"))), 403, "service")
    answer = expect("a ticket", ask("POST", url + "/ticket", mine, APP), 200)
    ticket, by = answer[3]["ticket"], "?ticket=" + answer[3]["ticket"]
    secrets.write(ticket + "\n")
    must("it is for a minute", answer[3]["expires"] == 60)
    expect("its use", ask("GET", url + by, None, APP), 204)
    expect("its use, again", ask("GET", url + "?wait=0&ticket=" + ticket, None, APP), 204)
    expect("no ticket at all", ask("GET", url, None, APP), 401, "credential")
    for what, method, target, origin, status in (
            ("another page", "GET", url + by, "http://localhost:3000", 401), ("no page", "GET", url + by, None, 401),
            ("a page that may not", "GET", url + by, "https://evil.example", 403), ("another session", "GET", second + by, APP, 401),
            ("another service", "GET", resource(one, "other") + by, APP, 401), ("POST", "POST", url + by, APP, 401), ("PUT", "PUT", url + by, APP, 401),
            ("DELETE", "DELETE", url + by, APP, 401), ("a ticket for a ticket", "POST", url + "/ticket" + by, APP, 401),
            ("cut", "GET", url + by[:-1], APP, 401), ("empty", "GET", url + "?ticket=", APP, 401), ("too long", "GET", url + by + "A" * 200, APP, 401),
            ("twice", "GET", url + by + "&ticket=" + ticket, APP, 400), ("as a bearer", "GET", url, APP, 401)):
        credential = ticket if what == "as a bearer" else None
        expect("ticket: " + what, ask(method, target, credential, origin, "application/json", "{}" if method == "POST" else None), status)
    own = expect("a program's ticket", ask("POST", url + "/ticket", mine), 200)[3]["ticket"]
    secrets.write(own + "\n")
    expect("its use", ask("GET", url + "?ticket=" + own), 204)
    expect("its use by a page", ask("GET", url + "?ticket=" + own, None, APP), 401)
    expect("it ends", ask("DELETE", url, mine), 204)
    expect("the ticket of what has ended", ask("GET", url + by, None, APP), 410, "gone")


def rates():
    client, url = Client(), resource()
    answers = [client.ask("GET", url, bearer("page", "wrong-token-0123456789"), APP) for _ in range(40)]
    must("30 are told why: %s" % [a[0] for a in answers], all(a[0] == 401 for a in answers[:30]) and sum(a[0] == 429 for a in answers) >= 8)
    last = [a for a in answers if a[0] == 429][-1]
    must("a page can read how long: %s" % (last,), last[1] == "rate" and last[2].get("retry-after") == "2" and last[2].get("access-control-allow-origin") == APP)
    expect("who shares the address is served", client.ask("PUT", url, jwt(good()), APP), 201)
    expect("other addresses, too", ask("GET", url, bearer("page", "wrong-token-0123456789")), 401, "credential")


for part in (origins, cookies_and_types, jwts, sessions_and_tickets, rates):
    part()
print(json.dumps({"cases": cases, "failures": failures}))
sys.exit(failures > 0)
