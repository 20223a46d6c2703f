// The interface as scripts see it: constants, attributes, their kinds.
"use strict";
{
	const list = {};
	for (const name of ["CONNECTING", "OPEN", "CLOSING", "CLOSED"])
		list["constant " + name] = t => {
			t.log(t.Class[name], t.Class.prototype[name], t.socket()[name]);
			t.log(Object.getOwnPropertyDescriptor(t.Class, name), Object.getOwnPropertyDescriptor(t.Class.prototype, name));
			t.log(attempt(() => { t.Class[name] = 9; }), attempt(() => { t.socket()[name] = 9; }), t.Class[name]);
			t.log(attempt(() => { delete t.Class[name]; }));
		};
	for (const name of ["url", "readyState", "bufferedAmount", "protocol", "extensions", "binaryType", "onopen", "onmessage", "onerror", "onclose"])
		list["attribute " + name] = t => {
			const s = t.socket(), what = Object.getOwnPropertyDescriptor(t.Class.prototype, name) ?? {};
			t.log(typeof s[name], s[name] === null, typeof what.get, typeof what.set, what.enumerable, what.configurable);
			t.log(attempt(() => t.Class.prototype[name]));
			t.log(name in s, Object.hasOwn(s, name));
			if (!what.set)
				t.log(attempt(() => { s[name] = "x"; }));
		};
	for (const name of ["send", "close"])
		list["method " + name] = t => {
			const what = Object.getOwnPropertyDescriptor(t.Class.prototype, name) ?? {};
			t.log(typeof what.value, what.value?.length, what.writable, what.enumerable, what.configurable, what.value?.name);
			t.log(attempt(() => t.Class.prototype[name].call({}, "x")));
		};
	cases("attributes", list);
}

cases("attributes", {
	"what it is"(t) {
		const s = t.socket();
		t.log(s instanceof t.WS, s instanceof t.Class, s instanceof WebSocket, s instanceof EventTarget, Object.getPrototypeOf(t.Class) === EventTarget,
			t.Class.prototype.constructor === t.Class);
	},
	"its kind"(t) {
		t.log(kind(t.socket()), String(t.socket()));
	},
	"nothing of its own is seen"(t) {
		const s = t.socket();
		t.log(Object.keys(s), JSON.stringify(s));
	},
	"seen by for-in"(t) {
		const s = t.socket(), wanted = ["url", "readyState", "bufferedAmount", "onopen", "onerror", "onclose", "extensions", "protocol", "onmessage",
			"binaryType", "close",
			"send", "CONNECTING", "OPEN", "CLOSING", "CLOSED", "addEventListener", "removeEventListener", "dispatchEvent"], seen = [];
		for (const name in s)
			seen.push(name);
		t.log(wanted.filter(n => !seen.includes(n)));
	},
	"can be extended"(t) {
		class More extends t.WS {
			hello() { return "hello " + this.readyState; }
		}
		const s = new More(t.url());
		t.log(s.hello(), s instanceof t.Class);
		s.mine = 5;
		t.log(s.mine);
		s.close();
	},
	"bufferedAmount and extensions at first"(t) {
		const s = t.socket();
		t.log(s.bufferedAmount, s.extensions, s.protocol, s.binaryType);
	},
	async "readyState through a life"(t) {
		const s = t.socket();
		t.log(s.readyState);
		s.onopen = () => t.log("open", s.readyState);
		s.onmessage = () => t.log("message", s.readyState);
		await t.opened(s);
		await t.says(s, "x");
		t.log(s.readyState);
		s.onclose = () => t.log("close", s.readyState);
		s.close();
		t.log(s.readyState);
		await t.closed(s);
		t.log(s.readyState);
	},
	async "binaryType"(t) {
		const s = t.socket();
		for (const value of ["arraybuffer", "blob", "arraybuffer", "text", "", null, undefined, 5, "Blob", { toString: () => "blob" }]) {
			t.log(attempt(() => { s.binaryType = value; }), s.binaryType);
		}
		t.log(attempt(() => { s.binaryType = Symbol("x"); }));
		s.close();
		await t.closed(s);
		s.binaryType = "arraybuffer";
		t.log(s.binaryType);
	},
});
