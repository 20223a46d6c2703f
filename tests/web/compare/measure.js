/*
 * One measurement of one system in this page: what run.py asks for. All times are ms of one machine's clock.
 */
"use strict";

const WARM_UP_MS = 2500; // what measures its path has done so by then
const now = () => performance.timeOrigin + performance.now();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/* Text in which nothing comes again within what a compressor sees. */
const letters = Array.from({ length: 1 << 20 }, () => Math.random().toString(36)[2] ?? "0").join("");
let letter = 0;
function padded(text, size) {
	letter = letter + size < letters.length ? letter + size : size;
	return (text + " ").padEnd(size, letters.slice(letter - size, letter));
}

function within(seconds, promise, what) {
	return Promise.race([promise, pause(seconds * 1000).then(() => Promise.reject(new Error(`${what}: not within ${seconds} s`)))]);
}

/* The next message that begins so. */
class Ear {
	constructor(it) {
		this.it = it;
		this.takers = {};
		it.onmessage = (text) => this.takers[text[0]]?.(text);
		this.ended = new Promise((_, reject) => { it.onend = reject; });
		this.ended.catch(() => {});
	}

	next(letter, seconds, what) {
		const said = new Promise((resolve) => { this.takers[letter] = resolve; });

		return within(seconds, Promise.race([said, this.ended]), what);
	}
}

/* Messages of both ends at random times, so that neither waits for the other: one way, each by itself. */
async function latency(it, ear, { mean, size, count }) {
	const down = [];

	ear.takers.d = (text) => down.push(now() - Number(text.split(" ", 2)[1]));
	it.send(`tick ${mean} ${size} ${count}`);
	for (let i = 0; i < count; i++) {
		await Promise.race([pause(-mean * Math.log(1 - Math.random())), ear.ended]);
		it.send(padded(`u ${now()}`, size));
	}
	for (let i = 0; i < 100 && down.length < count; i++)
		await pause(100);
	it.send("report");
	const up = JSON.parse((await ear.next("R", 20, "report")).slice(2));
	if (up.length !== count || down.length !== count)
		throw new Error(`${up.length} and ${down.length} messages came of ${count}`);
	return { up, down };
}

/* A question and its answer, one after the other. */
async function echo(it, ear, { size, count }) {
	const ms = [];

	for (let i = 0; i < count; i++) {
		const began = now();
		const answer = ear.next("E", 20, "echo");

		it.send(padded(`e ${began}`, size));
		await answer;
		ms.push(now() - began);
		await pause(20 + 60 * Math.random());
	}
	return { ms };
}

/* As many as it takes, one way. */
async function flood(it, ear, { size, count }) {
	const began = now();
	const answer = ear.next("C", 60, "the count");

	for (let i = 0; i < count; i++)
		it.send(padded(`c ${i} ${count}`, size));
	if (await answer !== "C true")
		throw new Error("not in order");
	return { per_second: count / (now() - began) * 1000 };
}

async function flooded(it, ear, { size, count }) {
	const began = now();
	let next = 0;

	const all = new Promise((resolve, reject) => {
		ear.takers.f = (text) => {
			if (Number(text.split(" ", 2)[1]) !== next++)
				reject(new Error("not in order"));
			if (next === count)
				resolve();
		};
	});
	it.send(`flood ${count} ${size}`);
	await within(60, Promise.race([all, ear.ended]), "the flood");
	return { per_second: count / (now() - began) * 1000 };
}

/* So many questions at a time, each with its answer. */
async function window_(it, ear, { size, count, outstanding }) {
	const began = now();
	let sent = 0, came = 0;

	const send = () => it.send(padded(`e ${sent++}`, size));
	const all = new Promise((resolve) => {
		ear.takers.E = () => {
			if (++came === count)
				resolve();
			else if (sent < count)
				send();
		};
	});
	for (let i = 0; i < outstanding; i++)
		send();
	await within(60, Promise.race([all, ear.ended]), "answers");
	return { per_second: count / (now() - began) * 1000 };
}

/* What the path itself needs for one POST of that size. */
async function exchange(where, { size, count }) {
	const ms = [];

	for (let i = 0; i < count + 3; i++) {
		const began = now();
		const answer = await fetch(where.exchange, { method: "POST", body: padded("", size) });

		await answer.text();
		if (i >= 3)
			ms.push(now() - began);
		await pause(10);
	}
	return { ms };
}

async function janus(name, where, { size, count, outstanding }) {
	const j = await within(30, janusOf(name, where), name);
	const ms = [];

	await pause(WARM_UP_MS);
	for (let i = 0; i < count; i++) {
		const began = now();

		await within(20, j.ask(letters.slice(0, size)), "an event");
		ms.push(now() - began);
		await pause(20 + 60 * Math.random());
	}
	const began = now(), many = count * 5;
	let left = many;
	await Promise.all(Array.from({ length: outstanding }, async () => {
		while (left-- > 0)
			await within(30, j.ask(letters.slice(0, 1024)), "an event");
	}));
	const per_second = many / (now() - began) * 1000;
	await j.close();
	return { ms, per_second };
}

const MEASURES = { latency, echo, flood, flooded, window: window_ };

/* plan: [[measure, options], ...], one after the other over one connection. */
async function measure(name, where, plan) {
	const it = await SYSTEMS[name](where);
	const ear = new Ear(it);
	const result = {};

	await pause(WARM_UP_MS);
	for (const [what, options] of plan)
		result[what] = await MEASURES[what](it, ear, options);
	result.transport = it.transport();
	it.onend = () => {};
	it.close();
	await pause(300);
	return result;
}
