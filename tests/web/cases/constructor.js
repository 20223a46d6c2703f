// The constructor: URLs and what comes of them.
"use strict";
{
	const list = {};
	const wrong = {
		"no host": "ws://", "angle brackets in the host": "ws://a<b/", "half an address": "ws://[::1", "a port too high": "ws://localhost:65536/",
		"no number as port": "ws://localhost:x/", "ftp": "ftp://localhost/", "mailto": "mailto:a@localhost", "about:blank": "about:blank",
		"data": "data:text/plain,x", "javascript": "javascript:0", "file": "file:///x", "blob": "blob:http://localhost/1", "an unknown scheme": "wsss://localhost/",
		"a fragment": "ws://localhost:1/#x", "an empty fragment": "ws://localhost:1/#", "a fragment alone": "#x", "a bad escape of the host": "ws://%/",
		"a fragment of an https URL": "https://localhost:1/x#y",
	};
	for (const name in wrong)
		list["refuses " + name] = t => t.log(attempt(() => t.make(wrong[name])));

	const right = {
		"upper case": "WS://LOCALHOST:1/A/../B", "the usual port": "ws://localhost:80/x", "the other usual port": "wss://localhost:443/x",
		"the port of the other": "ws://localhost:443/", "no path": "ws://localhost:1", "a query": "ws://localhost:1/x?a=b&c=%20d e",
		"spaces around": "  ws://localhost:1/x  ", "line feeds": "ws://local\nhost:1/x\ty", "spaces within": "ws://localhost:1/a b\u00e9",
		"http": "http://localhost:1/x",
		"https": "https://localhost:1/x?y", "an address": "ws://[0:0::1]:1/y", "an address in octal": "ws://0177.1:1/", "a backslash": "ws:\\\\localhost:1\\x",
		"a credential": "ws://user:secret@localhost:1/", "a lone surrogate": "ws://localhost:1/\ud800x", "no slashes": "wss:localhost:1/x",
	};
	for (const name in right)
		list["url of " + name] = t => {
			// Port 1 stands for the server's, which makes nobody wait.
			const port = new URL(t.at).port, s = t.make(right[name].replace(/:1(?![0-9])(?!\])/, ":" + port));
			t.log(s.url.replace(":" + port, ":1"), s.readyState);
		};

	const relative = { "a path": "/x/y", "a name": "name?q", "an empty string": "", "another host": "//127.0.0.1:1/x", "null": null,
		"undefined": undefined, "a number": 5 };
	for (const name in relative)
		list["relative, " + name] = t => {
			const s = t.make(relative[name]);
			const here = new URL(relative[name], location.href);
			here.protocol = here.protocol.replace("http", "ws");
			t.log(s.url === here.href);
		};
	cases("constructor", list);
}

cases("constructor", {
	"without arguments"(t) {
		t.log(attempt(() => new t.Class()));
	},
	"without new"(t) {
		t.log(attempt(() => t.Class(t.url())));
	},
	"its length"(t) {
		t.log(t.Class.length);
	},
	"takes a URL"(t) {
		const s = t.make(new URL(t.url()));
		t.log(s.url === t.url());
	},
	"takes what has toString"(t) {
		const s = t.make({ toString: () => t.url() });
		t.log(s.url === t.url());
	},
	"toString that throws"(t) {
		t.log(attempt(() => t.make({ toString() { throw new RangeError("x"); } })));
	},
	"a symbol"(t) {
		t.log(attempt(() => t.make(Symbol("x"))));
	},
	"the URL is read before the protocols"(t) {
		t.log(attempt(() => new t.Class({ toString() { t.log("url"); return "ws://"; } }, { toString() { t.log("protocols"); return "x"; } })));
	},
	"a wrong URL before a wrong protocol"(t) {
		t.log(attempt(() => t.make("ws://", ["a", "a"])));
	},
	async "by an http URL"(t) {
		const s = t.make(t.url().replace("ws", "http"));
		await t.opened(s);
		t.log(s.url === t.url(), await t.says(s, "x"));
	},
	"its url stays after close"(t) {
		const s = t.socket();
		s.close();
		t.log(s.url === t.url(), s.readyState);
	},
});
