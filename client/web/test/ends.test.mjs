// How a socket opens and ends: refusals, credentials, expiry, restarts, closes of both ends, pages that go.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig, text } from "./rig.mjs";

const seconds = (rig, n) => rig.clock.run(n * 1000);
const puts = (rig) => rig.server.requests.filter(({ method }) => method === "PUT").length;
const LOST = ["error", [1006, "", false]];

test("a close of the page's carries code and reason, and waits for the target's", async () => {
	const rig = new Rig({ server: { silent: true } });
	const { socket, session } = await rig.open();
	socket.send("last");
	socket.close(3001, "enough");
	assert.equal(socket.readyState, 2);
	await seconds(rig, 1);
	assert.deepEqual(session.got, [text("last"), { type: "close", data: [3001, "enough"] }]);
	assert.equal(socket.readyState, 2);
	rig.server.say(session, text("not seen any more"), { type: "close", data: [3001, "enough"] });
	await seconds(rig, 1);
	assert.deepEqual(socket.log, ["open", [3001, "enough", true]]);
	assert.ok(session.deleted);
});

test("a target that does not answer a close is left after 45 s", async () => {
	const rig = new Rig({ server: { silent: true } });
	const { socket } = await rig.open();
	socket.close();
	await seconds(rig, 46);
	assert.deepEqual(socket.log.pop(), [1006, "", false]);
});

test("the target's close, without a code, and its end without a close", async () => {
	for (const [data, expected] of [
		[[1005, ""], [1005, "", true]],
		[[4001, "so"], [4001, "so", true]],
		[[1006, "cut"], [1006, "", false]],
	]) {
		const rig = new Rig();
		const { socket, session } = await rig.open();
		rig.server.say(session, text("last"), { type: "close", data });
		await seconds(rig, 1);
		assert.deepEqual(socket.log, ["open", "last", expected]);
		assert.equal(socket.readyState, 3);
		assert.equal(rig.network.flights, 0);
	}
});

for (const transports of [["stream"], ["sse"], ["poll"]])
	test(`${transports}: after a restart of the server it closes with 1006, and no session is made`, async () => {
		const rig = new Rig({ transports });
		const { socket } = await rig.open();
		await seconds(rig, 2);
		rig.server.restart();
		await seconds(rig, 30);
		assert.deepEqual(socket.log, ["open", ...LOST]);
		assert.equal(puts(rig), 1);
		assert.equal(rig.network.flights, 0);
	});

test("a network that is away for less than the expiry is survived, for longer not", async () => {
	for (const [away, end] of [[250, ["open", "later"]], [400, ["open", ...LOST]]]) {
		const rig = new Rig({ transports: ["poll"] });
		const { socket, session } = await rig.open();
		await seconds(rig, 1);
		rig.network.down = true;
		rig.network.sleep();
		await seconds(rig, away);
		rig.network.down = false;
		rig.server.say(session, text("later"));
		await seconds(rig, 30);
		assert.deepEqual(socket.log, end);
		assert.equal(puts(rig), 1);
		socket.close();
	}
});

test("a machine that slept longer than the expiry learns that the session is gone", async () => {
	const rig = new Rig({ transports: ["poll"] });
	const { socket, session } = await rig.open();
	await seconds(rig, 1);
	rig.network.sleep();
	session.waiter?.("time");
	rig.clock.sleep(400000);
	await seconds(rig, 10);
	assert.deepEqual(socket.log, ["open", ...LOST]);
	assert.equal(puts(rig), 1);
});

test("a credential that ran out is asked for again, once", async () => {
	let asked = 0;
	const rig = new Rig({ token: async () => (++asked, rig.server.token) });
	const { socket, session } = await rig.open();
	await seconds(rig, 1);
	assert.equal(asked, 1);
	rig.server.token = "another";
	socket.send("x");
	await seconds(rig, 1);
	assert.equal(asked, 2);
	assert.equal(session.got.length, 1);
	rig.options.token = "";
	socket.close();
});

test("a credential that is refused twice is an end", async () => {
	let asked = 0;
	const rig = new Rig({ token: () => `wrong ${++asked}` });
	const { socket } = await rig.open();
	await seconds(rig, 1);
	assert.deepEqual(socket.log, LOST);
	assert.equal(asked, 2);
});

test("a credential that cannot be had now is asked for again", async () => {
	let asked = 0;
	const rig = new Rig({
		token: () => {
			if (++asked === 1)
				throw new Error("the page's own server is not there");
			return "secret";
		},
	});
	const { socket } = await rig.open();
	assert.deepEqual(socket.log, ["open"]);
	socket.close();
});

test("Retry-After is obeyed", async () => {
	const rig = new Rig({ transports: ["poll"] });
	const { socket, session } = await rig.open();
	await seconds(rig, 1);
	for (const status of [429, 503]) {
		const got = session.got.length;
		rig.server.scripted.push((problem) => problem(status, "busy", { "Retry-After": "7" }));
		socket.send("x");
		await seconds(rig, 6.9);
		assert.equal(session.got.length, got);
		await seconds(rig, 1.5);
		assert.equal(session.got.length, got + 1);
	}
	socket.close();
});

test("a server that is busy at first is waited for, within the time to open", async () => {
	const rig = new Rig();
	rig.server.scripted.push((problem) => problem(503, "busy", { "Retry-After": "5" }));
	const { socket } = await rig.open();
	assert.deepEqual(socket.log, ["open"]);
	socket.close();
	const other = new Rig();
	for (let i = 0; i < 9; i++)
		other.server.scripted.push((problem) => problem(503, "busy", { "Retry-After": "5" }));
	const refused = other.socket();
	await seconds(other, 21);
	assert.deepEqual(refused.log, LOST);
});

for (const [status, code] of [[502, "target"], [504, "target"], [403, "origin"], [404, "service"], [410, "gone"]])
	test(`${status} ${code} to PUT is an end at once`, async () => {
		const rig = new Rig();
		rig.server.scripted.push((problem) => problem(status, code));
		const socket = rig.socket();
		await seconds(rig, 1);
		assert.deepEqual(socket.log, LOST);
	});

test("what a proxy says in between is not the server's word", async () => {
	const rig = new Rig({ transports: ["poll"] });
	const page = (status) => () => ({ status, headers: { "Content-Type": "text/html" }, body: new TextEncoder().encode("<html>log in") });
	rig.server.scripted.push(page(200));
	const { socket, session } = await rig.open();
	for (const status of [200, 403, 407, 502]) {
		rig.server.scripted.push(page(status));
		socket.send(`${status}`);
		await seconds(rig, 3);
	}
	assert.deepEqual(session.got.map(({ data }) => data), ["200", "403", "407", "502"]);
	assert.deepEqual(socket.log, ["open"]);
	socket.close();
});

test("a target that chooses another subprotocol, or none, is no target", async () => {
	for (const protocol of ["", "other"]) {
		const rig = new Rig({ server: { protocol } });
		const socket = rig.socket(["a", "b"]);
		await seconds(rig, 1);
		assert.deepEqual(socket.log, LOST);
	}
	const rig = new Rig();
	const { socket } = await rig.open(["a", "b"]);
	assert.equal(socket.protocol, "a");
	socket.close();
});

test("a close while it opens", async () => {
	const rig = new Rig();
	const socket = rig.socket();
	socket.close();
	assert.equal(socket.readyState, 2);
	await seconds(rig, 60);
	assert.deepEqual(socket.log, LOST);
	assert.equal(rig.server.sessions.size, 0);
});

test("a message that is longer than the server takes", async () => {
	const rig = new Rig({ server: { message_max: 100 } });
	const { socket } = await rig.open();
	socket.send("x".repeat(101));
	await seconds(rig, 1);
	assert.deepEqual(socket.log, ["open", "error", [1009, "", false]]);
});

test("a page that is kept holds nothing, and goes on; one that goes sends what waits, and a close with 1001", async () => {
	const rig = new Rig({ transports: ["poll"] });
	const { socket, session } = await rig.open();
	await seconds(rig, 1);
	rig.tell("pagehide", { persisted: true });
	await seconds(rig, 60);
	assert.equal(rig.network.flights, 0);
	rig.server.say(session, text("meanwhile"));
	rig.tell("pageshow", { persisted: true });
	await seconds(rig, 1);
	assert.deepEqual(socket.log, ["open", "meanwhile"]);
	socket.send("on its way");
	await seconds(rig, 0.001);
	socket.send("last words");
	rig.tell("pagehide", { persisted: false });
	await seconds(rig, 1);
	assert.deepEqual(session.got, [text("on its way"), text("last words"), { type: "close", data: [1001, ""] }]);
	assert.ok(rig.network.asked.pop().init.keepalive);
});

test("a page that goes while it closes says its own close; with more than the browser sends it deletes", async () => {
	const rig = new Rig({ transports: ["poll"] });
	const { socket, session } = await rig.open();
	socket.close(3000, "bye");
	rig.tell("pagehide", { persisted: false });
	await seconds(rig, 1);
	assert.deepEqual(session.got, [{ type: "close", data: [3000, "bye"] }]);
	const other = await rig.open();
	other.socket.send("x".repeat(100000));
	rig.tell("pagehide", { persisted: false });
	await seconds(rig, 1);
	assert.ok(other.session.deleted);
	const third = rig.socket();
	rig.tell("pagehide", { persisted: false });
	await seconds(rig, 1);
	assert.equal(third.readyState, 0);
	assert.equal(rig.network.flights, 0);
});

test("Blobs keep their place among other messages", async () => {
	const rig = new Rig();
	const { socket, session } = await rig.open();
	socket.send(new Blob(["first"]));
	socket.send("second");
	assert.equal(socket.bufferedAmount, 11);
	for (let i = 0; i < 20 && session.got.length < 2; i++) {
		await new Promise((resolve) => setTimeout(resolve, 5)); /* a Blob is read in time of its own */
		await seconds(rig, 1);
	}
	assert.deepEqual(session.got.map(({ data }) => (typeof data === "string" ? data : new TextDecoder().decode(data))), ["first", "second"]);
	assert.equal(socket.bufferedAmount, 0);
	socket.close();
});

test("requests carry no cookies and follow no redirects", async () => {
	const rig = new Rig();
	const { socket } = await rig.open();
	await seconds(rig, 1);
	for (const { init } of rig.network.asked)
		assert.deepEqual([init.credentials, init.redirect], ["omit", "error"]);
	socket.close();
});
