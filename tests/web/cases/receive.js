// Messages from the server: their events, kinds and order.
"use strict";
cases("receive", {
	async "a message event"(t) {
		const s = await t.open();
		s.send("x");
		const e = await t.event(s, "message");
		t.log(e instanceof MessageEvent, e.constructor === MessageEvent, e.type, e.data, e.origin === t.at, e.lastEventId, e.source, e.ports.length,
			e.bubbles, e.cancelable, e.composed, e.target === s, e.defaultPrevented);
	},
	async "target and phase in a handler"(t) {
		const s = await t.open();
		s.send("x");
		await new Promise(yes => {
			s.onmessage = function (e) {
				t.log(this === s, e.target === s, e.currentTarget === s, e.eventPhase, e.composedPath().length, arguments.length);
				yes();
			};
		});
	},
	async "a Blob"(t) {
		const s = await t.open();
		const data = await t.says(s, octets(100));
		t.log(data instanceof Blob, data.constructor.name, data.size, data.type, await contents(data));
	},
	async "an ArrayBuffer"(t) {
		const s = await t.open();
		s.binaryType = "arraybuffer";
		const data = await t.says(s, octets(100).subarray(3, 9));
		t.log(data instanceof ArrayBuffer, data.byteLength, await contents(data));
	},
	async "binaryType is not for texts"(t) {
		const s = await t.open();
		s.binaryType = "arraybuffer";
		t.log(await t.says(s, "x"));
	},
	async "binaryType set before it is open"(t) {
		const s = t.socket();
		s.binaryType = "arraybuffer";
		await t.opened(s);
		t.log(await contents(await t.says(s, octets(3))));
	},
	async "binaryType changed between messages"(t) {
		const s = await t.open("do");
		t.watch(s);
		s.onmessage = () => { s.binaryType = s.binaryType === "blob" ? "arraybuffer" : "blob"; };
		s.send("binary 4");
		await t.data(s, 4);
	},
	async "binary and text by turns"(t) {
		const s = await t.open("do");
		s.binaryType = "arraybuffer";
		s.send("mixed 20");
		for (const m of await t.data(s, 20))
			t.log(typeof m === "string" ? m : await contents(m));
	},
	async "Blobs and texts by turns"(t) {
		const s = await t.open("do");
		s.send("mixed 20");
		for (const m of await t.data(s, 20))
			t.log(typeof m === "string" ? m : await contents(m));
	},
	async "sent by the server at once"(t) {
		const s = t.socket("first");
		t.watch(s);
		await t.data(s, 2);
	},
	async "sent at once, listened to since open"(t) {
		const s = t.socket("first");
		await new Promise(yes => { s.onopen = () => { s.onmessage = e => { t.log(told(e)); yes(); }; }; });
	},
	async "sent at once, listened to after a few promises"(t) {
		const s = t.socket("first");
		await new Promise(yes => { s.onopen = yes; });
		for (let i = 0; i < 5; i++)
			await null;
		await new Promise(yes => { s.onmessage = e => { t.log(told(e)); yes(); }; });
	},
	async "promises between messages"(t) {
		const s = await t.open("do");
		s.onmessage = e => {
			t.log(e.data);
			Promise.resolve().then(() => t.log("then " + e.data)).then(() => t.log("and " + e.data));
			queueMicrotask(() => t.log("microtask " + e.data));
		};
		s.send("say 4 m#");
		await t.data(s, 4);
		await later(20);
	},
	async "promises between open and message"(t) {
		const s = t.socket("first");
		s.onopen = () => { t.log("open"); Promise.resolve().then(() => t.log("then")); };
		s.onmessage = () => t.log("message");
		await t.data(s, 2);
	},
	async "promises between error and close"(t) {
		const s = t.socket("refuse");
		s.onerror = () => { t.log("error"); Promise.resolve().then(() => t.log("then")); };
		s.onclose = () => t.log("close");
		await t.closed(s);
		await later(20);
	},
	async "many in one go"(t) {
		const s = await t.open("do");
		s.send("say 500 #");
		const list = await t.data(s, 500);
		t.log(list.every((m, i) => m === String(i + 1)));
	},
	async "much in one go, and a close"(t) {
		const s = await t.open("do"), list = [];
		s.onmessage = e => list.push(e.data);
		s.onclose = e => t.log(told(e));
		s.send("flood 2000");
		await t.closed(s);
		t.log(list.length, list.every((m, i) => m === String(i)));
	},
	async "none after close was called"(t) {
		const s = await t.open("do");
		t.watch(s);
		s.onmessage = () => s.close();
		s.send("say 5 m#");
		await t.closed(s);
		await later(50);
	},
	async "none that come while it closes"(t) {
		const s = await t.open();
		t.watch(s);
		s.send("one");
		s.close();
		await t.closed(s);
		await later(50);
	},
	async "none after the end"(t) {
		const s = await t.open("do");
		t.watch(s);
		s.send("later 100 late");
		s.close();
		await t.closed(s);
		await later(200);
	},
	async "later, by itself"(t) {
		const s = await t.open("do");
		s.send("later 300 late");
		t.log(await t.data(s));
	},
	async "empty ones"(t) {
		const s = await t.open("do");
		s.send("say 3 ");
		t.log(await t.data(s, 3));
	},
	async "a handler that throws"(t) {
		const s = await t.open("do");
		const caught = e => { t.log("window: " + e.message); e.preventDefault(); };
		addEventListener("error", caught);
		s.onmessage = e => { t.log(e.data); throw new RangeError("from " + e.data); };
		s.addEventListener("message", e => t.log("second " + e.data));
		s.send("say 2 m#");
		await t.data(s, 2);
		await later(20);
		removeEventListener("error", caught);
		t.log(s.readyState);
	},
	async "listeners keep it alive"(t) {
		const done = new Promise(yes => {
			const s = new t.WS(t.url("do"));
			s.onopen = () => s.send("later 300 late");
			s.onmessage = e => { yes(e.data); e.target.close(); };
		});
		await later(100);
		for (let i = 0; i < 3; i++) {
			globalThis.gc?.();
			await later(30);
		}
		t.log(typeof gc, await done);
	},
	async "many sockets at the same time"(t) {
		const all = await Promise.all(Array.from({ length: 8 }, () => t.open()));
		const back = await Promise.all(all.map((s, i) => t.says(s, "mine " + i)));
		t.log(back);
		all.forEach(s => s.close());
		await Promise.all(all.map(s => t.closed(s)));
		t.log(all.map(s => s.readyState));
	},
	async "sockets one after the other"(t) {
		for (let i = 0; i < 5; i++) {
			const s = await t.open();
			t.log(await t.says(s, "s" + i));
			s.close();
			await t.closed(s);
		}
	},
});
