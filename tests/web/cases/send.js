// send(): what can be sent and when, and what is counted.
"use strict";
{
	const list = {};
	const values = {
		"a string": () => "hello", "an empty string": () => "", "beyond ASCII": () => "\u00e9\u20ac\u{1f600}", "lone surrogates": () => "a\ud800b\udc00c\ud83d",
		"a NUL": () => "a\0b", "line feeds": () => "a\nb\n\nc\n", "carriage returns": () => "a\rb\r\nc\r",
		"what looks like an event": () => "data: x\nid: 5\n\nevent: close\n\n",
		"what looks like JSON": () => "{\"close\":[1000,\"\"]}", "a byte order mark": () => "\ufeffx", "line separators": () => "\u2028\u2029\u0085",
		"spaces around": () => " x  ",
		"an empty ArrayBuffer": () => new ArrayBuffer(0), "an ArrayBuffer": () => octets(300).buffer, "a Uint8Array": () => octets(70000),
		"a part of a buffer": () => octets(100).subarray(10, 20),
		"a DataView": () => new DataView(octets(50).buffer, 5, 30), "a Float64Array": () => new Float64Array([1.5, -2, NaN]),
		"a BigInt64Array": () => new BigInt64Array([5n, -6n]),
		"a Uint8ClampedArray": () => new Uint8ClampedArray([1, 300]), "a Blob": () => new Blob(["abc", octets(1000)]), "an empty Blob": () => new Blob([]),
		"a File": () => new File(["file"], "name.txt"), "a slice of a Blob": () => new Blob(["0123456789"]).slice(3, 6),
		"undefined": () => undefined, "null": () => null, "a number": () => 0.5, "an object": () => ({}), "a list": () => [1, [2, 3]], "true": () => true,
		"an object with toString": () => ({ toString: () => "said" }), "a String": () => new String("boxed"), "a URL": () => new URL("http://localhost/"),
		"a million of characters": () => "\u00e9".repeat(500000), "a million of octets": () => octets(1000000),
		"a Blob of a million": () => new Blob([octets(1000000, 3)]),
	};
	for (const name in values)
		list[name] = async t => {
			const s = await t.open();
			s.binaryType = "arraybuffer";
			const back = t.data(s);
			t.log(s.send(values[name]()) === undefined, s.bufferedAmount);
			const data = await back;
			t.log(typeof data === "string" ? shown(data) : await contents(data));
			t.log(await t.until(() => s.bufferedAmount === 0));
		};
	cases("send", list);
}

cases("send", {
	async "without arguments"(t) {
		const s = await t.open();
		t.log(attempt(() => s.send()));
		t.log(attempt(() => t.socket().send()));
	},
	"before it is open"(t) {
		const s = t.socket();
		for (const what of ["x", "", new ArrayBuffer(1), new Uint8Array(2), new Blob(["x"]), undefined])
			t.log(attempt(() => s.send(what)));
		t.log(s.bufferedAmount, s.readyState);
	},
	async "toString that throws"(t) {
		const s = await t.open();
		t.log(attempt(() => s.send({ toString() { throw new RangeError("x"); } })), attempt(() => s.send(Symbol("x"))), s.bufferedAmount);
		t.log(await t.says(s, "still there"));
	},
	async "in the handler of open"(t) {
		const s = t.socket();
		s.onopen = () => s.send("at once");
		t.log(await t.data(s));
	},
	async "octets as they were then"(t) {
		const s = await t.open(), mine = octets(1000);
		s.binaryType = "arraybuffer";
		const back = t.data(s);
		s.send(mine);
		mine.fill(0);
		t.log(await contents(await back));
	},
	async "a buffer that was given away"(t) {
		const s = await t.open(), mine = new ArrayBuffer(10);
		s.binaryType = "arraybuffer";
		structuredClone(mine, { transfer: [mine] });
		const back = t.data(s);
		t.log(attempt(() => s.send(mine)), s.bufferedAmount);
		t.log(await contents(await back));
	},
	async "bufferedAmount adds up within a turn"(t) {
		const s = await t.open();
		s.send("abc");
		t.log(s.bufferedAmount);
		s.send("\u20ac\ud800");
		t.log(s.bufferedAmount);
		s.send(new ArrayBuffer(10));
		t.log(s.bufferedAmount);
		s.send(new Uint16Array(10));
		t.log(s.bufferedAmount);
		await Promise.resolve();
		t.log(s.bufferedAmount);
		t.log(await t.until(() => s.bufferedAmount === 0));
	},
	async "bufferedAmount with a Blob"(t) {
		const s = await t.open();
		s.send(new Blob(["12345"]));
		t.log(s.bufferedAmount);
		s.send("abc");
		t.log(s.bufferedAmount);
		t.log(await t.until(() => s.bufferedAmount === 0));
	},
	async "after close"(t) {
		const s = await t.open();
		s.close();
		t.log(attempt(() => s.send("abc")), s.bufferedAmount);
		t.log(attempt(() => s.send(new Uint8Array(5))), s.bufferedAmount);
		t.log(attempt(() => s.send(new Blob(["ab"]))), s.bufferedAmount);
		await t.closed(s);
		t.log(s.bufferedAmount);
		s.send("\u20ac");
		t.log(s.bufferedAmount);
	},
	async "after the server's close"(t) {
		const s = t.socket("shut");
		await t.closed(s);
		t.log(attempt(() => s.send("abcd")), s.bufferedAmount, s.readyState);
	},
	async "after it failed"(t) {
		const s = t.socket("refuse");
		await t.closed(s);
		t.log(attempt(() => s.send("abcd")), s.bufferedAmount, s.readyState);
	},
	async "before close arrives, after it does not"(t) {
		const s = await t.recorded();
		s.send("one");
		s.send(new Uint8Array([1, 2]));
		s.send("two");
		s.close(3001, "enough");
		s.send("three");
		await t.closed(s);
		t.log(await t.record(s));
	},
	async "a Blob before close arrives"(t) {
		const s = await t.recorded();
		s.send("one");
		s.send(new Blob(["two"]));
		s.close(3002);
		await t.closed(s);
		t.log(await t.record(s));
	},
	async "in order"(t) {
		const s = await t.open();
		const back = t.data(s, 1000);
		for (let i = 0; i < 1000; i++)
			s.send("message " + i);
		const list = await back;
		t.log(list.length, list.every((m, i) => m === "message " + i));
		t.log(await t.until(() => s.bufferedAmount === 0));
	},
	async "Blobs, buffers and texts in order"(t) {
		const s = await t.open();
		s.binaryType = "arraybuffer";
		const back = t.data(s, 40);
		for (let i = 0; i < 10; i++) {
			s.send(new Blob([octets(50000 - i * 5000)]));
			s.send("text " + i);
			s.send(octets(i));
			s.send(new Blob([String(i)]));
		}
		for (const m of await back)
			t.log(typeof m === "string" ? m : await contents(m));
	},
	async "much without waiting"(t) {
		const s = await t.open(), each = octets(60000);
		s.binaryType = "arraybuffer";
		const back = t.data(s, 40);
		for (let i = 0; i < 40; i++)
			s.send(each);
		t.log(s.bufferedAmount);
		const list = await back;
		t.log(list.length, list.every(m => m.byteLength === 60000), await contents(list[39]));
	},
	async "there and back, many times"(t) {
		const s = await t.open();
		for (let i = 0; i < 30; i++)
			if (await t.says(s, "n" + i) !== "n" + i)
				t.log("another came at " + i);
		t.log("done");
	},
});
