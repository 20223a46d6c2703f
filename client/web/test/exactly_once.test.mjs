// 100,000 messages in each direction over a way with every fault there is: each comes once, in order, whatever carries it; the model is
// that what was sent is what was got.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig, text } from "./rig.mjs";

const FAULTS = { lostRequest: 0.05, lostAnswer: 0.05, silent: 0.3, copy: 0.1, cut: 0.02, late: 0.1, least: 5, most: 60 };
const COUNT = Number(process.env.COUNT || 100000);

/* What the page and the target do, by chance: bursts, sleep, other networks, buffering that begins and ends. */
function happens(rig, socket, session, count) {
	const { clock, network, server, random } = rig;
	let sent = 0;
	let said = 0;
	const step = () => {
		if (socket.readyState !== 1)
			return;
		for (let n = Math.min(Math.floor(random() ** 4 * 400), count - sent); n > 0; n--)
			socket.send(++sent % 5 ? `m${sent}` : new Uint8Array([2, sent >> 16, sent >> 8, sent]));
		for (let n = Math.min(Math.floor(random() ** 4 * 400), count - said); n > 0; n--)
			server.say(session, ++said % 5 ? text(`s${said}\n\r`) : { type: "binary", data: new Uint8Array([3, said >> 16, said >> 8, said]) });
		const chance = random();
		if (chance < 0.005 && !network.down) {
			network.sleep();
			clock.sleep(random() * 60000);
		} else if (chance < 0.01) {
			rig.tell(["online", "pageshow", "change", "visibilitychange"][Math.floor(random() * 4)]);
		} else if (chance < 0.015) {
			network.faults.buffers = !network.faults.buffers;
		} else if (chance < 0.02) {
			network.down = true;
			clock.setTimeout(() => (network.down = false), random() * 30000);
		}
		clock.setTimeout(step, random() * 200);
	};
	step();
}

const shown = (data, letter) => {
	if (typeof data === "string")
		return data.replace(/[\n\r]/g, "");
	const [kind, a, b, c] = new Uint8Array(data);
	return `${{ 2: "m", 3: "s" }[kind]}${(a << 16) | (b << 8) | c}`;
};

async function once(seed, transports, count, more = {}) {
	const rig = new Rig({ seed, faults: { ...FAULTS, ...more }, transports });
	const { socket, session } = await rig.open();
	assert.equal(socket.readyState, 1);
	happens(rig, socket, session, count);
	let seen = 0;
	socket.addEventListener("message", ({ data }) => assert.equal(shown(data), `s${++seen}`));
	const done = await rig.clock.run(3e7, () => (seen === count && session.got.length === count) || socket.readyState === 3);
	assert.ok(done && socket.readyState === 1, `seed ${seed}: ${seen} seen, ${session.got.length} got: ${JSON.stringify(socket.log.slice(-2))}`);
	session.got.forEach(({ data }, i) => assert.equal(shown(data), `m${i + 1}`));
	await rig.clock.run(400000, () => socket.bufferedAmount === 0);
	assert.equal(socket.bufferedAmount, 0);
	Object.assign(rig.network, { down: false, faults: { least: 5, most: 10 } });
	socket.close(3000, "done");
	await rig.clock.run(400000, () => socket.readyState === 3);
	assert.deepEqual(socket.log.pop(), [3000, "done", true]);
	return rig;
}

for (const [i, transports] of [["stream"], ["sse"], ["poll"], ["stream", "sse", "poll"]].entries())
	test(`exactly once, in order: ${transports}`, async () => {
		for (let seed = 1; seed <= 4; seed++)
			await once(seed * 10 + i, transports, COUNT / 16);
	});

test("the faults happened", async () => {
	const rig = await once(99, ["stream", "poll"], 2000);
	const transports = new Set(rig.server.requests.map(({ method, url }) => method + (url.includes("stream") ? "stream" : "")));
	assert.ok(transports.has("GETstream") && transports.has("POST"));
});
