// Listeners and handlers as the DOM has them.
"use strict";
{
	const list = {};
	const values = { "null": null, "undefined": undefined, "a number": 5, "a string": "alert(1)", "true": true, "an object": { x: 1 },
		"an object with handleEvent": { handleEvent() { throw new Error("called"); } }, "a symbol": Symbol.iterator };
	for (const name in values)
		list["handler, " + name] = async t => {
			const s = await t.open();
			s.onmessage = () => t.log("the old one");
			t.log(attempt(() => { s.onmessage = values[name]; }), s.onmessage === values[name], s.onmessage === null);
			t.log(await t.says(s, "x"));
		};
	cases("events", list);
}

cases("events", {
	async "handlers of all kinds, in order"(t) {
		const s = t.socket("do");
		for (const type of ["open", "message", "error", "close"])
			s["on" + type] = e => t.log(told(e));
		await t.opened(s);
		s.send("parting bye");
		await t.closed(s);
	},
	async "handlers are read back"(t) {
		const s = t.socket(), mine = () => t.log("mine");
		for (const name of ["onopen", "onmessage", "onerror", "onclose"]) {
			s[name] = mine;
			t.log(s[name] === mine);
			s[name] = null;
			t.log(s[name]);
		}
		await t.opened(s);
	},
	async "a handler has the place it got first"(t) {
		const s = await t.open();
		s.addEventListener("message", () => t.log("one"));
		s.onmessage = () => t.log("old");
		s.addEventListener("message", () => t.log("two"));
		s.onmessage = () => t.log("new");
		await t.says(s, "x");
	},
	async "a handler that was null has a new place"(t) {
		const s = await t.open();
		s.onmessage = () => t.log("old");
		s.addEventListener("message", () => t.log("one"));
		s.onmessage = null;
		s.onmessage = () => t.log("new");
		await t.says(s, "x");
	},
	async "a handler replaced by no function keeps its place"(t) {
		const s = await t.open();
		s.onmessage = () => t.log("old");
		s.addEventListener("message", () => t.log("one"));
		s.onmessage = {};
		s.onmessage = () => t.log("new");
		await t.says(s, "x");
	},
	async "a handler and the same as listener"(t) {
		const s = await t.open(), mine = () => t.log("mine");
		s.onmessage = mine;
		s.addEventListener("message", mine);
		await t.says(s, "x");
		s.removeEventListener("message", mine);
		await t.says(s, "y");
		t.log(s.onmessage === mine);
	},
	async "a handler changed by another listener of the same event"(t) {
		const s = await t.open();
		s.addEventListener("message", () => { s.onmessage = () => t.log("new"); });
		s.onmessage = () => t.log("old");
		await t.says(s, "x");
		await later(20);
	},
	async "a handler that removes itself"(t) {
		const s = await t.open();
		s.onmessage = () => { t.log("once"); s.onmessage = null; };
		await t.says(s, "x");
		await t.says(s, "y");
	},
	async "this and arguments"(t) {
		const s = t.socket();
		await new Promise(yes => { s.onopen = function (...args) { t.log(this === s, args.length, args[0].type, kind(args[0])); yes(); }; });
	},
	async "the same listener is called once"(t) {
		const s = await t.open(), mine = () => t.log("called");
		s.addEventListener("message", mine);
		s.addEventListener("message", mine);
		s.addEventListener("message", mine, { passive: true });
		await t.says(s, "x");
		s.removeEventListener("message", mine);
		await t.says(s, "y");
	},
	async "capture counts as another"(t) {
		const s = await t.open(), mine = e => t.log("called " + e.eventPhase);
		s.addEventListener("message", mine);
		s.addEventListener("message", mine, true);
		await t.says(s, "x");
		s.removeEventListener("message", mine);
		await t.says(s, "y");
	},
	async "once"(t) {
		const s = await t.open();
		s.addEventListener("message", e => t.log(e.data), { once: true });
		await t.says(s, "x");
		await t.says(s, "y");
	},
	async "by a signal"(t) {
		const s = await t.open(), stop = new AbortController();
		s.addEventListener("message", e => t.log(e.data), { signal: stop.signal });
		await t.says(s, "x");
		stop.abort();
		await t.says(s, "y");
	},
	async "handleEvent"(t) {
		const s = await t.open();
		const mine = { handleEvent(e) { t.log("one", e.data, this === mine); } };
		s.addEventListener("message", mine);
		await t.says(s, "x");
		mine.handleEvent = () => t.log("changed");
		await t.says(s, "y");
	},
	"listeners that are none"(t) {
		const s = t.socket();
		t.log(attempt(() => s.addEventListener("message", null)), attempt(() => s.addEventListener("message", undefined)),
			attempt(() => s.addEventListener("message", 5)),
			attempt(() => s.addEventListener("message")), attempt(() => s.removeEventListener("message", () => 1)));
	},
	async "stopImmediatePropagation"(t) {
		const s = await t.open();
		s.addEventListener("message", e => { t.log("one"); e.stopImmediatePropagation(); });
		s.onmessage = () => t.log("two");
		s.send("x");
		await t.event(s, "close").catch(() => 0, s.close());
	},
	async "added while it is told"(t) {
		const s = await t.open();
		s.addEventListener("message", () => { t.log("one"); s.addEventListener("message", () => t.log("added"), { once: true }); }, { once: true });
		await t.says(s, "x");
		await t.says(s, "y");
	},
	async "removed while it is told"(t) {
		const s = await t.open(), second = () => t.log("second");
		s.addEventListener("message", () => { t.log("first"); s.removeEventListener("message", second); });
		s.addEventListener("message", second);
		await t.says(s, "x");
	},
	"a page's own events"(t) {
		const s = t.socket();
		s.addEventListener("mine", e => t.log(e.type, e.detail, e.target === s));
		s.onmessage = e => t.log("onmessage", e.data);
		t.log(s.dispatchEvent(new CustomEvent("mine", { detail: 5 })), s.dispatchEvent(new MessageEvent("message", { data: "made up" })));
		s.onclose = e => t.log(e.code, s.readyState);
		s.dispatchEvent(new CloseEvent("close", { code: 5 }));
		t.log(s.readyState, attempt(() => s.dispatchEvent({})));
	},
	async "one event object for all listeners"(t) {
		const s = await t.open(), seen = [];
		s.onmessage = e => { e.mine = 1; seen.push(e); };
		s.addEventListener("message", e => seen.push(e));
		await t.says(s, "x");
		t.log(seen.length, seen[0] === seen[1], seen[1].mine);
	},
	async "preventDefault and false do nothing"(t) {
		const s = await t.open();
		s.onmessage = e => { e.preventDefault(); t.log(e.defaultPrevented, e.returnValue); return false; };
		await t.says(s, "x");
	},
	async "listeners added after some promises hear of open"(t) {
		const s = t.socket();
		for (let i = 0; i < 10; i++)
			await null;
		t.log(s.readyState);
		t.log((await t.event(s, "open")).type);
	},
	async "open is a plain event"(t) {
		const s = t.socket();
		const e = await t.event(s, "open");
		t.log(e.constructor === Event, e.bubbles, e.cancelable, e.composed, s.readyState);
	},
	async "a page that is busy misses nothing"(t) {
		const s = t.socket("first");
		t.watch(s);
		for (const end = performance.now() + 300; performance.now() < end;);
		await t.data(s, 2);
	},
	async "a listener for each message"(t) {
		const s = await t.open();
		for (let i = 0; i < 3; i++) {
			s.send("m" + i);
			t.log((await t.event(s, "message")).data);
		}
	},
	async "nothing before the constructor returns"(t) {
		let inside = true;
		const s = t.socket("refuse");
		s.onerror = () => t.log("error", inside);
		s.onclose = () => t.log("close", inside);
		inside = false;
		await t.closed(s);
	},
});
