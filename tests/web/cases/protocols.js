// Subprotocols: what may be asked for, and what comes of it.
"use strict";
{
	const list = {};
	const wrong = {
		"an empty one": "", "a space": "a b", "a comma": "a,b", "a semicolon": "a;b", "beyond ASCII": "\u00e9", "delete": "a\u007f", "a tab": "a\tb",
		"a line feed": "a\nb",
		"a NUL": "\0", "quotes": "\"a\"", "brackets": "(a)", "more brackets": "[a]", "braces": "{a}", "less": "<", "at": "a@b", "a colon": "a:b",
		"a backslash": "a\\b",
		"a slash": "a/b", "a question": "a?", "equals": "a=b", "beyond 16 bits": "\u{1f600}", "a lone surrogate": "\ud800",
	};
	for (const name in wrong)
		list["refuses " + name] = t => t.log(attempt(() => t.make(t.url(), wrong[name])), attempt(() => t.make(t.url(), ["a", wrong[name]])));
	const lists = {
		"two the same": ["a", "a"], "two the same, apart": ["a", "b", "a"], "in other case": ["a", "A"], "an empty list": [], "null": null, "undefined": undefined,
		"a number": 5, "a list with null": [null, "x"], "null twice": [null, "null"], "an object": { toString: () => "a" }, "a set": new Set(["a", "b"]),
		"a String": new String("ab"), "a String with the same twice": new String("aa"), "a symbol": Symbol("x"), "a list with a symbol": [Symbol("x")],
		"a function": () => 1,
		"an empty object": {}, "true": true, "a list in a list": [["a", "b"]], "all signs": "!#$%&'*+-.^_`|~09azAZ", "a bad iterator": { [Symbol.iterator]: 5 },
	};
	for (const name in lists)
		list[name] = t => t.log(t.tried(t.url(), lists[name]));
	cases("protocols", list);
}

cases("protocols", {
	async "none asked for"(t) {
		const s = t.socket();
		t.log(s.protocol, s.extensions);
		await t.opened(s);
		t.log(s.protocol, s.extensions);
	},
	async "one as a string"(t) {
		const s = t.socket("echo", "chat.v2");
		t.log(s.protocol);
		await t.opened(s);
		t.log(s.protocol);
	},
	async "the first of a list"(t) {
		const s = await t.open("echo", ["chat.v2", "chat.v1"]);
		t.log(s.protocol);
	},
	async "of a set"(t) {
		const s = await t.open("echo", new Set(["x", "y"]));
		t.log(s.protocol);
	},
	async "of a String, by letters"(t) {
		const s = await t.open("echo", new String("ab"));
		t.log(s.protocol);
	},
	async "a number"(t) {
		const s = await t.open("echo", 5);
		t.log(s.protocol);
	},
	async "all signs of a token"(t) {
		const s = await t.open("echo", "!#$%&'*+-.^_`|~09azAZ");
		t.log(s.protocol);
	},
	async "stays after the end"(t) {
		const s = await t.open("echo", "chat.v2");
		s.close();
		t.log(s.protocol);
		await t.closed(s);
		t.log(s.protocol);
	},
	async "the server takes none"(t) {
		const s = t.watch(t.socket("plain", ["chat.v1"]));
		await t.closed(s);
		await later(50);
		t.log(s.protocol);
	},
	async "the list is read once"(t) {
		const asked = ["one", "two"];
		const s = t.socket("echo", asked);
		asked[0] = "three";
		await t.opened(s);
		t.log(s.protocol);
	},
});
