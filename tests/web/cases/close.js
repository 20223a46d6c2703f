// close(), from either side and in every state.
"use strict";
{
	const list = {};
	const codes = [0, 1, 999, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1011, 1015, 1016, 2999, 5000, 65535, 65536, 66536, -1, 999.4, 5000.4, 2999.4, NaN,
		Infinity, "x", null, true, {}, 1000.4, "3000", 1000, 4999, 3999, [3000]];
	list["codes"] = async t => {
		const s = await t.open();
		for (const code of codes)
			t.log(String(code), attempt(() => s.close(code)), s.readyState);
	};
	const reasons = {
		"123 octets": "x".repeat(123), "124 octets": "x".repeat(124), "123 octets, 3 each": "\u20ac".repeat(41), "126 octets, 3 each": "\u20ac".repeat(42),
		"lone surrogates": "\ud800".repeat(41),
		"too many lone surrogates": "\ud800".repeat(42), "emoji, 124 octets": "\u{1f600}".repeat(31), "emoji, 120 octets": "\u{1f600}".repeat(30),
		"a number": 5, "null": null, "an object": {},
		"empty": "", "undefined": undefined,
	};
	for (const name in reasons)
		list["reason, " + name] = async t => {
			const s = await t.recorded();
			t.log(attempt(() => s.close(3000, reasons[name])), s.readyState);
			s.close();
			t.log(told(await t.event(s, "close")), await t.record(s));
		};
	const given = { "without arguments": [], "undefined": [undefined], "1000": [1000], "1000 and a reason": [1000, "done"], "3000": [3000],
		"4999": [4999, "\u00fc"],
		"as a string": ["3001", "x"], "rounded": [3000.4] };
	for (const name in given)
		list["closed by us, " + name] = async t => {
			const s = await t.recorded();
			t.log(attempt(() => t.log(s.close(...given[name]) === undefined)), s.readyState);
			t.log(told(await t.event(s, "close")), await t.record(s));
		};
	const theirs = ["1000", "1000 bye", "1001 going", "1008 policy", "1011 broken", "1012", "1013 later", "3000 x", "4001 auf Wiedersehen \u{1f600}",
		"4000 " + "y".repeat(123), "4999"];
	for (const what of theirs)
		list["closed by them, " + what.slice(0, 30)] = async t => {
			const s = await t.open("do");
			t.watch(s);
			s.send("close " + what);
			await t.closed(s);
			await later(20);
		};
	cases("close", list);
}

cases("close", {
	async "closed by them without a code"(t) {
		const s = await t.open("do");
		t.watch(s).send("close");
		await t.closed(s);
	},
	async "closed by them at once"(t) {
		const s = t.watch(t.socket("shut"));
		await t.closed(s);
	},
	async "the server dies"(t) {
		const s = await t.open("do");
		t.watch(s).send("die");
		await t.closed(s);
		await later(30);
	},
	async "the server breaks the protocol"(t) {
		const s = await t.open("do");
		t.watch(s).send("bad");
		await t.closed(s);
		await later(30);
	},
	async "a message and a close together"(t) {
		const s = await t.open("do");
		t.watch(s).send("parting last words");
		await t.closed(s);
	},
	async "a close event"(t) {
		const s = await t.open("do");
		s.send("close 4001 x");
		const e = await t.event(s, "close");
		t.log(e instanceof CloseEvent, e.constructor === CloseEvent, e.type, e.code, e.reason, e.wasClean, e.bubbles, e.cancelable, e.composed, e.target === s);
	},
	async "an error event"(t) {
		const s = t.socket("refuse");
		const e = await t.event(s, "error");
		t.log(e.constructor === Event, e.type, e.bubbles, e.cancelable, e.composed, e.target === s, s.readyState);
	},
	async "refused"(t) {
		const s = t.watch(t.socket("refuse"));
		await t.closed(s);
		await later(30);
		t.log(s.url === t.url("refuse"), s.protocol, s.extensions, s.bufferedAmount);
	},
	async "while it connects"(t) {
		const s = t.watch(t.socket("hang"));
		t.log(s.close(), s.readyState);
		await t.closed(s);
		await later(30);
	},
	async "while it connects, with code and reason"(t) {
		const s = t.watch(t.socket("slow"));
		s.close(3000, "why");
		t.log(s.readyState);
		await t.closed(s);
		await later(700);
	},
	async "while it connects, a little later"(t) {
		const s = t.watch(t.socket("slow"));
		await later(150);
		s.close();
		t.log(s.readyState);
		await t.closed(s);
		await later(600);
	},
	async "nothing happens before the call returns"(t) {
		const s = t.watch(t.socket());
		s.close();
		t.log("returned");
		await Promise.resolve();
		t.log("then");
		await t.closed(s);
	},
	async "with a wrong code while it connects"(t) {
		const s = t.socket();
		t.log(attempt(() => s.close(999)), s.readyState);
		await t.opened(s);
		t.log(s.readyState);
	},
	async "a wrong code comes before a wrong reason"(t) {
		const s = await t.open();
		t.log(attempt(() => s.close(1, "x".repeat(200))), attempt(() => s.close(1000, "x".repeat(200))), s.readyState, attempt(() => s.close(Symbol("x"))),
			attempt(() => s.close(1000, Symbol("x"))));
	},
	async "in each state"(t) {
		const s = await t.open();
		s.onclose = () => t.log("close", attempt(() => s.close()), attempt(() => s.close(3000)), s.readyState);
		s.close(3000);
		t.log(attempt(() => s.close()), attempt(() => s.close(1)), attempt(() => s.close(1000, "x".repeat(124))), s.readyState);
		await t.closed(s);
		t.log(attempt(() => s.close()), attempt(() => s.close(1)), attempt(() => s.close(1000, "x".repeat(124))), s.readyState);
		await later(30);
	},
	async "twice, the first counts"(t) {
		const s = await t.recorded();
		s.close(3001, "first");
		s.close(3002, "second");
		t.log(told(await t.event(s, "close")), await t.record(s));
	},
	async "in the handler of open"(t) {
		const s = t.watch(t.socket());
		s.onopen = () => { s.close(); t.log(s.readyState); };
		await t.closed(s);
	},
	async "in the handler of error"(t) {
		const s = t.watch(t.socket("refuse"));
		s.onerror = () => { t.log(s.readyState); s.close(); t.log(s.readyState); };
		await t.closed(s);
		await later(30);
	},
	async "in the handler of close"(t) {
		const s = t.watch(await t.open());
		s.onclose = () => { s.close(); t.log(s.readyState); };
		s.close(4000);
		await t.closed(s);
		await later(50);
	},
	async "from both sides"(t) {
		const s = await t.open("do");
		s.onclose = e => t.log("close", ["4001 theirs", "4002 ours"].includes(e.code + " " + e.reason), e.wasClean);
		s.send("close 4001 theirs");
		s.close(4002, "ours");
		t.log(s.readyState);
		await t.closed(s);
		await later(30);
	},
	async "a new one in the handler of close"(t) {
		const s = await t.open("do");
		const again = new Promise(yes => { s.onclose = () => yes(t.open()); });
		s.send("die");
		t.log(await t.says(await again, "again"));
	},
	async "what was sent before the end is kept in bufferedAmount"(t) {
		const s = t.socket("hang");
		s.close();
		s.send("12345");
		await t.closed(s);
		t.log(s.bufferedAmount);
	},
	async "by an empty string as reason"(t) {
		const s = await t.recorded();
		s.close(1000, "");
		t.log(told(await t.event(s, "close")), await t.record(s));
	},
});
