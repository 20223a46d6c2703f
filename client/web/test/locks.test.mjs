// Held requests: one in a tab, four for an origin; who has none asks now and then, and follows when one becomes free.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig, text } from "./rig.mjs";

const seconds = (rig, n) => rig.clock.run(n * 1000);

/* Web Locks, exclusive ones only. */
class Locks {
	#held = new Map();

	async request(name, { signal }, f) {
		while (this.#held.has(name)) {
			if (signal.aborted)
				throw new DOMException("aborted", "AbortError");
			await Promise.race([this.#held.get(name), new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))]);
		}
		if (signal.aborted)
			throw new DOMException("aborted", "AbortError");
		const held = Promise.resolve(f({ name }));
		this.#held.set(name, held.then(() => this.#held.delete(name)));
		return held;
	}
}

/* The library as another tab has it. */
const tab = async (n) => (await import(`../dist/culvert-web.js?tab=${n}`)).CulvertSocket;

async function tabs(rig, n) {
	const sockets = [];
	for (let i = 0; i < n; i++) {
		const Socket = await tab(i);
		const socket = new Socket("wss://app.example/janus", [], rig.options);
		socket.log = [];
		socket.onmessage = ({ data }) => socket.log.push(data);
		await rig.clock.run(10000, () => socket.readyState === 1);
		socket.session = [...rig.server.sessions.values()].pop();
		sockets.push(socket);
	}
	await seconds(rig, 5);
	return sockets;
}

for (const transports of [["stream"], ["poll"]])
	test(`six tabs hold four requests (${transports}); when one closes, another follows; all get what comes`, async () => {
		const rig = new Rig({ environment: { locks: new Locks() }, transports });
		const sockets = await tabs(rig, 6);
		assert.equal(rig.server.held(), 4);
		for (let i = 0; i < 10; i++) {
			for (const { session } of sockets)
				rig.server.say(session, text(`${i}`));
			await seconds(rig, 3);
			assert.ok(rig.server.held() <= 4);
		}
		for (const { log } of sockets)
			assert.deepEqual(log, Array.from({ length: 10 }, (_, i) => `${i}`));
		sockets[0].close();
		await seconds(rig, 5);
		assert.equal(rig.server.held(), 4);
		assert.equal(sockets.filter(({ session }) => session.waiter).length, 4);
		for (const socket of sockets)
			socket.close();
		await seconds(rig, 5);
		assert.equal(rig.network.flights, 0);
	});

test("two sockets of a tab hold one request; the other is two seconds late at most, and quick after it sent", async () => {
	const rig = new Rig();
	const first = await rig.open();
	const second = await rig.open();
	await seconds(rig, 60);
	assert.equal(rig.server.held(), 1);
	rig.server.say(second.session, text("a"));
	await seconds(rig, 2.1);
	assert.deepEqual(second.socket.log, ["open", "a"]);
	await seconds(rig, 60);
	first.socket.send("busy");
	await seconds(rig, 3);
	second.socket.send("ask");
	await rig.clock.run(1000, () => second.session.got.length === 1);
	rig.server.say(second.session, text("answer"));
	await seconds(rig, 0.25);
	assert.deepEqual(second.socket.log, ["open", "a", "answer"]);
	first.socket.close();
	await seconds(rig, 1);
	assert.equal(rig.server.held(), 1);
	assert.ok(second.session.waiter);
	second.socket.close();
});

test("a socket that has something to say takes over from one that has not", async () => {
	for (const locks of [undefined, new Locks()]) {
		const rig = new Rig({ environment: { locks } });
		const first = await rig.open();
		const second = await rig.open();
		await seconds(rig, 60);
		assert.ok(first.session.waiter);
		second.socket.send("ask");
		await seconds(rig, 2);
		assert.ok(second.session.waiter && !first.session.waiter);
		rig.server.say(first.session, text("a"));
		rig.server.say(second.session, text("b"));
		await seconds(rig, 3);
		assert.deepEqual([first.socket.log, second.socket.log], [["open", "a"], ["open", "b"]]);
		first.socket.close();
		second.socket.close();
		await seconds(rig, 5);
		assert.equal(rig.network.flights, 0);
	}
});

test("where a page has no locks the tab's one is held", async () => {
	const rig = new Rig({ environment: { locks: { request: async () => { throw new DOMException("no", "SecurityError"); } } } });
	const { socket, session } = await rig.open();
	await seconds(rig, 2);
	assert.ok(session.waiter);
	assert.equal(socket.transport, "stream");
	socket.close();
});

test("storage that throws is no storage", async () => {
	const storage = { getItem() { throw new Error("no"); }, setItem() { throw new Error("no"); } };
	const rig = new Rig({ environment: { storage }, faults: { buffers: true } });
	const { socket } = await rig.open();
	await seconds(rig, 5);
	assert.equal(socket.transport, "poll");
	socket.close();
});
