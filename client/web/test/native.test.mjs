// Native WebSockets: proven, given up without being seen, or ended honestly; never is a message of one sent again by a session.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig, text } from "./rig.mjs";

const seconds = (rig, n) => rig.clock.run(n * 1000);

/* What the way does to native WebSockets, by URL: "open", "refuse", "silent" (nothing happens) or "mute" (opens, and lets nothing pass). */
function withNative(ways, options) {
	const rig = new Rig(options);
	const made = (rig.natives = []);
	rig.environment.WebSocket = class {
		bufferedAmount = 0;
		protocol = "p";
		extensions = "";
		sent = [];

		constructor(url, protocols) {
			Object.assign(this, { url, protocols });
			made.push(this);
			const way = ways(url);
			if (way === "throw")
				throw new DOMException("no", "SecurityError");
			if (way === "refuse")
				rig.clock.setTimeout(() => this.end(1006, "", false), 10);
			else if (way !== "silent")
				rig.clock.setTimeout(() => this.onopen?.(new Event("open")), 10);
			this.echoes = way === "open";
		}

		end(code, reason, wasClean) {
			if (!wasClean)
				this.onerror?.(new Event("error"));
			this.onclose?.({ code, reason, wasClean });
		}

		send(data) {
			this.sent.push(data);
			if (this.echoes)
				rig.clock.setTimeout(() => this.onmessage?.({ data: typeof data === "string" ? data : data.slice().buffer }), 10);
		}

		close(code = 1005, reason = "") {
			this.closed = [code, reason];
			rig.clock.setTimeout(() => this.onclose?.({ code, reason, wasClean: true }), 10);
		}
	};
	return rig;
}

test("one that works carries everything", async () => {
	const rig = withNative(() => "open", { native: true });
	const { socket } = await rig.open(["p"]);
	assert.deepEqual([socket.transport, socket.protocol], ["native", "p"]);
	socket.send("a");
	socket.send(new Uint8Array([1, 2]));
	await seconds(rig, 20);
	assert.equal(socket.log[1], "a");
	assert.deepEqual(new Uint8Array(socket.log[2]), new Uint8Array([1, 2]));
	socket.close(3000, "x");
	await seconds(rig, 1);
	assert.deepEqual(socket.log[3], [3000, "x", true]);
	assert.equal(rig.network.asked.length, 0);
});

for (const way of ["refuse", "silent", "throw"])
	test(`one that does not open (${way}) is not seen, and not tried again for an hour`, async () => {
		const rig = withNative(() => way, { native: "wss://app.example/other" });
		const { socket, session } = await rig.open();
		assert.deepEqual(socket.log, ["open"]);
		assert.equal(rig.natives[0].url, "wss://app.example/other");
		socket.send("a");
		await seconds(rig, 1);
		assert.deepEqual(session.got, [text("a")]);
		socket.close();
		await rig.open().then(({ socket }) => socket.close());
		assert.equal(rig.natives.length, 1);
		await seconds(rig, 3601);
		await rig.open().then(({ socket }) => socket.close());
		assert.equal(rig.natives.length, 2);
	});

test("one that opens and lets nothing pass ends with 1006; the next socket is a session; nothing goes twice", async () => {
	const rig = withNative(() => "mute", { native: true });
	const { socket } = await rig.open();
	await seconds(rig, 60); /* silence of the application proves nothing */
	socket.send("once");
	await seconds(rig, 6);
	assert.deepEqual(socket.log, ["open", "error", [1006, "", false]]);
	const { socket: second, session } = await rig.open();
	await seconds(rig, 2);
	assert.equal(second.transport, "stream");
	assert.deepEqual(session.got, []);
	second.close();
});

test("with a probe, such a one is not seen either", async () => {
	const rig = withNative(() => "mute", { native: { probe: "wss://app.example/echo", within: 2 } });
	const { socket, session } = await rig.open();
	assert.deepEqual(socket.log, ["open"]);
	assert.deepEqual(rig.natives.map(({ url, sent }) => [url, sent.length]), [["wss://app.example/janus", 0], ["wss://app.example/echo", 1]]);
	assert.ok(rig.natives.every(({ closed }) => closed));
	socket.send("a");
	await seconds(rig, 1);
	assert.deepEqual(session.got, [text("a")]);
	socket.close();
});

test("with a probe that answers, silence is the application's", async () => {
	const rig = withNative((url) => (url.endsWith("echo") ? "open" : "mute"), { native: { probe: "wss://app.example/echo" } });
	const { socket } = await rig.open();
	assert.equal(socket.transport, "native");
	socket.send("a");
	await seconds(rig, 600);
	assert.deepEqual(socket.log, ["open"]);
});

test("a close while it opens leaves nothing", async () => {
	const rig = withNative(() => "silent", { native: true });
	const socket = rig.socket();
	socket.close();
	await seconds(rig, 60);
	assert.deepEqual(socket.log, ["error", [1006, "", false]]);
	assert.equal(rig.network.asked.length, 0);
});

test("the transports that are named leave it out", async () => {
	const rig = withNative(() => "open", { native: true, transports: ["poll"] });
	const { socket } = await rig.open();
	assert.equal(rig.natives.length, 0);
	socket.close();
});
