// Which transport is used, what shows that one does not serve, and what happens when one breaks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig, text } from "./rig.mjs";

const streams = (rig) => rig.network.asked.filter(({ url }) => url.includes("stream=1")).length;
const seconds = (rig, n) => rig.clock.run(n * 1000);

test("a stream where it is let through: one request for ten minutes", async () => {
	const rig = new Rig();
	const { socket, session } = await rig.open();
	await seconds(rig, 1);
	assert.equal(socket.transport, "stream");
	for (let i = 0; i < 100; i++) {
		rig.server.say(session, text(`${i}`));
		await seconds(rig, 5);
	}
	assert.deepEqual(socket.log.slice(1), Array.from({ length: 100 }, (_, i) => `${i}`));
	assert.equal(streams(rig), 1);
	socket.close();
});

test("a way that holds answers back is noticed within two seconds, and remembered for an hour", async () => {
	const rig = new Rig({ faults: { buffers: true } });
	const { socket, session } = await rig.open();
	rig.server.say(session, text("early"));
	await seconds(rig, 2);
	assert.equal(socket.transport, "poll");
	assert.deepEqual(socket.log, ["open", "early"]);
	socket.close();
	const before = streams(rig);
	const second = await rig.open();
	await seconds(rig, 30);
	assert.equal(second.socket.transport, "poll");
	assert.equal(streams(rig), before);
	second.socket.close();
	rig.network.faults.buffers = false;
	await seconds(rig, 3700);
	const third = await rig.open();
	await seconds(rig, 1);
	assert.equal(third.socket.transport, "stream");
	third.socket.close();
});

test("on another network it is found out anew", async () => {
	const rig = new Rig({ faults: { buffers: true } });
	const { socket } = await rig.open();
	await seconds(rig, 5);
	assert.equal(socket.transport, "poll");
	rig.network.faults.buffers = false;
	rig.tell("change");
	await seconds(rig, 1);
	assert.equal(socket.transport, "stream");
	socket.close();
});

test("marks that come together are a way that holds back", async () => {
	const rig = new Rig({ faults: { lumps: 700 } });
	const { socket } = await rig.open();
	await seconds(rig, 3);
	assert.equal(socket.transport, "poll");
	socket.close();
});

test("a page that was busy at first does not judge the way", async () => {
	const rig = new Rig({ faults: { lumps: 700 } });
	const { socket } = await rig.open();
	await rig.clock.run(5000, () => streams(rig) === 2);
	rig.network.faults.lumps = 0;
	await seconds(rig, 2);
	assert.equal(socket.transport, "stream");
	assert.equal(rig.storage.size, 0);
	socket.close();
});

test("a server without answers that go on is polled, by one constant URL", async () => {
	const rig = new Rig({ server: { transports: ["poll"] } });
	const { socket, session } = await rig.open();
	for (let i = 0; i < 5; i++) {
		rig.server.say(session, text(`${i}`));
		await seconds(rig, 3);
		socket.send("x");
	}
	assert.equal(socket.transport, "poll");
	assert.deepEqual(socket.log, ["open", "0", "1", "2", "3", "4"]);
	assert.equal(new Set(rig.network.asked.map(({ url }) => url)).size, 1);
	const before = rig.network.asked.length;
	await seconds(rig, 600);
	assert.ok(rig.network.asked.length - before <= 32, "a quiet session polls every 20 s");
	socket.close();
});

test("EventSource with a ticket", async () => {
	const rig = new Rig({ transports: ["sse"] });
	const { socket, session } = await rig.open();
	rig.server.say(session, text("a\nb"), text("c\rd"), { type: "binary", data: new Uint8Array([0, 255]) });
	await seconds(rig, 100);
	assert.equal(socket.transport, "sse");
	assert.deepEqual(socket.log.slice(0, 3), ["open", "a\nb", "c\rd"]);
	assert.deepEqual(new Uint8Array(socket.log[3]), new Uint8Array([0, 255]));
	rig.server.say(session, { type: "close", data: [4000, "bye"] });
	await seconds(rig, 1);
	assert.deepEqual(socket.log[4], [4000, "bye", true]);
});

test("events that are held back later are noticed by a question", async () => {
	const rig = new Rig({ transports: ["sse"] });
	const { socket, session } = await rig.open();
	await seconds(rig, 2);
	assert.equal(socket.transport, "sse");
	rig.network.faults.buffers = true;
	rig.server.say(session, text("late"));
	await seconds(rig, 30);
	assert.deepEqual(socket.log, ["open", "late"]);
	assert.equal(socket.transport, "poll");
	socket.close();
});

test("a stream in which nothing comes any more is given up and begun again", async () => {
	const rig = new Rig();
	const { socket, session } = await rig.open();
	await seconds(rig, 2);
	rig.network.sleep(); /* what is under way is dead, without a word */
	rig.server.say(session, text("lost at first"));
	await seconds(rig, 30);
	assert.deepEqual(socket.log, ["open", "lost at first"]);
	assert.equal(socket.transport, "stream");
	socket.close();
});

test("a way that cuts polls early gets shorter ones", async () => {
	const rig = new Rig({ transports: ["poll"] });
	const plain = rig.network.fetch;
	rig.environment.fetch = (url, init) => {
		const cut = rig.clock.wait(7000).then(() => {
			throw new TypeError("the proxy cut it");
		});
		cut.catch(() => {});
		return Promise.race([plain(url, init), init.method === "POST" ? cut : new Promise(() => {})]);
	};
	const { socket, session } = await rig.open();
	await seconds(rig, 120);
	rig.server.say(session, text("there"));
	await seconds(rig, 1);
	assert.deepEqual(socket.log, ["open", "there"]);
	socket.close();
});

for (const name of ["online", "pageshow", "change"])
	test(`${name}: what is under way is begun again at once`, async () => {
		const rig = new Rig({ transports: ["poll"] });
		const { socket, session } = await rig.open();
		await seconds(rig, 1);
		rig.network.sleep();
		rig.server.say(session, text("waiting"));
		rig.tell(name);
		await seconds(rig, 0.5);
		assert.deepEqual(socket.log, ["open", "waiting"]);
		socket.close();
	});

test("after sleep, too", async () => {
	const rig = new Rig({ transports: ["poll"] });
	const { socket, session } = await rig.open();
	await seconds(rig, 1);
	rig.network.sleep();
	rig.server.say(session, text("waiting"));
	rig.clock.sleep(60000);
	await seconds(rig, 5.5);
	assert.deepEqual(socket.log, ["open", "waiting"]);
	socket.close();
});

test("a message is not later for the poll that is held: one exchange, whatever was sent before", async () => {
	const rig = new Rig({ transports: ["poll"], faults: { least: 50, most: 50 } });
	const { socket, session } = await rig.open();
	const times = [];
	await seconds(rig, 1);
	for (let i = 0; i < 20; i++) {
		const at = rig.clock.now();
		socket.send("x");
		await rig.clock.run(1000, () => session.got.length > i);
		times.push(rig.clock.now() - at);
		await seconds(rig, 0.3);
	}
	assert.ok(Math.max(...times) <= 51, `${times}`);
	socket.close();
});

test("what is sent in one go goes in one request", async () => {
	const rig = new Rig({ transports: ["poll"] });
	const { socket, session } = await rig.open();
	await seconds(rig, 1);
	const before = rig.network.asked.length;
	for (let i = 0; i < 200; i++)
		socket.send("x".repeat(1000));
	await seconds(rig, 1);
	assert.equal(session.got.length, 200);
	assert.equal(rig.network.asked.length - before, 1);
	socket.close();
});

test("the server's window limits what is under way; a longer message goes alone", async () => {
	const rig = new Rig({ transports: ["poll"], server: { window: 10000 } });
	const { socket, session } = await rig.open();
	const sizes = [3000, 3000, 3000, 3000, 50000, 3000];
	for (const size of sizes)
		socket.send("x".repeat(size));
	await seconds(rig, 2);
	assert.deepEqual(session.got.map(({ data }) => data.length), sizes);
	const longest = rig.network.asked.map(({ init }) => init.body?.length || 0).filter((n) => n < 40000);
	assert.ok(Math.max(...longest) < 10300);
	socket.close();
});

test("what is received is acknowledged before the window is full", async () => {
	const rig = new Rig({ server: { window: 10000 } });
	const { socket, session } = await rig.open();
	await seconds(rig, 1);
	let most = 0;
	for (let i = 0; i < 100; i++) {
		rig.server.say(session, text("x".repeat(1000)));
		most = Math.max(most, session.out.length);
		await seconds(rig, 0.1);
	}
	assert.equal(socket.log.length, 101);
	assert.ok(most <= 5, `${most} kept at the server`);
	socket.close();
});

test("where one connection is all there is, what is sent does not wait for what is held", async () => {
	const rig = new Rig({ server: { transports: ["poll"] }, faults: { connections: 1 } });
	const { socket, session } = await rig.open();
	for (let i = 1; i <= 5; i++) {
		await seconds(rig, 3);
		socket.send("x");
		await seconds(rig, 1);
		assert.equal(session.got.length, i);
		rig.server.say(session, text(`${i}`));
		await seconds(rig, 1);
		assert.equal(socket.log[i], `${i}`);
	}
	socket.close();
});
