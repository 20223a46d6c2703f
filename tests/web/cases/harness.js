// The list of cases and what they have to work with. A case does things with a WebSocket and logs what it sees; the logs of the browser's own WebSocket are
// what the others are compared with. After the WHATWG's WebSockets Standard, Web IDL and DOM.
"use strict";
const allCases = [];

function cases(suite, list) {
	for (const name in list)
		allCases.push({ name: suite + ": " + name, run: list[name] });
}

function later(ms) {
	return new Promise(yes => setTimeout(yes, ms));
}

// What a call does: "ok", or the name of what it throws.
function attempt(act) {
	try {
		act();
		return "ok";
	} catch (e) {
		return e instanceof DOMException ? "DOMException " + e.name + " " + e.code : e instanceof Error ? e.constructor.name : String(e);
	}
}

// An event without what cannot be the same.
function told(e) {
	const more = e.type === "message" ? typeof e.data === "string" ? " " + shown(e.data) : " " + kind(e.data) + " " + (e.data.size ?? e.data.byteLength)
		: e.type === "close" ? " " + e.code + " " + JSON.stringify(e.reason) + " " + e.wasClean : "";
	return e.type + more + " at " + e.target.readyState;
}

function shown(text) {
	return text.length > 100 ? text.length + " characters, " + sum(new TextEncoder().encode(text)) : JSON.stringify(text);
}

function kind(value) {
	return Object.prototype.toString.call(value).slice(8, -1);
}

// Of octets: how many, and a sum that knows their order.
function sum(octets) {
	let a = 1, b = 0;
	for (const o of octets) {
		a = (a + o) % 65521;
		b = (b + a) % 65521;
	}
	return octets.length + ":" + (b * 65536 + a).toString(16);
}

async function contents(data) {
	return data instanceof Blob ? "Blob " + sum(new Uint8Array(await data.arrayBuffer())) : kind(data) + " " + sum(new Uint8Array(data));
}

function octets(n, seed = 1) {
	return Uint8Array.from({ length: n }, (_, i) => i * 31 * seed + (i >> 8) + seed);
}

const PATHS = ["echo", "plain", "do", "first", "shut", "refuse", "slow", "hang", "record"];

// world: WS (what is tried), Class (the same without options), at (URL of the server), native (the browser's WebSocket), patience (ms)
class Case {
	constructor(world) {
		Object.assign(this, world);
		this.logged = [];
		this.sockets = [];
	}
	log(...what) {
		this.logged.push(what.length === 1 ? what[0] : what);
	}
	url(path = "echo") {
		return this.at + "/" + path;
	}
	make(...args) {
		const s = new this.WS(...args);
		this.sockets.push(s);
		return s;
	}
	socket(path = "echo", ...rest) {
		return this.make(this.url(path), ...rest);
	}
	// What making one does.
	tried(...args) {
		return attempt(() => this.make(...args));
	}
	event(s, type) {
		return new Promise(yes => s.addEventListener(type, yes, { once: true }));
	}
	async open(...args) {
		const s = this.socket(...args);
		await this.opened(s);
		return s;
	}
	async opened(s) {
		if (s.readyState === 0)
			await new Promise((yes, no) => {
				s.addEventListener("open", yes, { once: true });
				s.addEventListener("close", e => no(new Error("did not open: " + e.code)), { once: true });
			});
	}
	async closed(s) {
		if (s.readyState !== 3)
			await this.event(s, "close");
	}
	// Logs its events from now on.
	watch(s, mark = "") {
		for (const type of ["open", "message", "error", "close"])
			s.addEventListener(type, e => this.log(mark + told(e)));
		return s;
	}
	// The next n messages' data.
	data(s, n = 1) {
		const list = [];
		return new Promise((yes, no) => {
			const take = e => {
				list.push(e.data);
				if (list.length < n)
					return;
				s.removeEventListener("message", take);
				yes(n === 1 ? list[0] : list);
			};
			s.addEventListener("message", take);
			s.addEventListener("close", e => no(new Error("closed " + e.code + " after " + list.length + " messages")), { once: true });
		});
	}
	async says(s, message) {
		const back = this.data(s);
		s.send(message);
		return back;
	}
	async until(question, ms = 5000) {
		for (const end = performance.now() + ms; performance.now() < end; await later(10))
			if (question())
				return true;
		return false;
	}
	// A connection that the server keeps a record of; what it kept when it has ended.
	async recorded() {
		const s = await this.open("record");
		s.name = "r" + Math.random();
		s.send(s.name);
		return s;
	}
	async record(s) {
		const asks = new this.native(this.at + "/told");
		await new Promise(yes => { asks.onopen = yes; });
		asks.send(s.name);
		const answer = await new Promise(yes => { asks.onmessage = yes; });
		asks.close();
		return JSON.parse(answer.data);
	}
}

// A browser makes a page wait that has many connections to make, or gives up those that are being made; so what is left of a case is let open first.
async function giveUp(s) {
	if (s.readyState === 0 && !s.url.endsWith("/hang"))
		await Promise.race([later(3000), new Promise(yes => { s.addEventListener("open", yes); s.addEventListener("close", yes); })]);
	s.close();
}

async function runCase(one, world) {
	const c = new Case(world);
	let over;
	const late = new Promise(yes => { over = setTimeout(() => yes("not within " + world.patience + " ms"), world.patience); });
	const end = await Promise.race([late, (async () => one.run(c))().then(() => "", e => "threw " + e)]);
	clearTimeout(over);
	const seen = JSON.parse(JSON.stringify(c.logged));
	if (end)
		seen.push(end);
	const used = c.sockets.map(s => s.readyState === 0 ? "" : s.transport ?? "");
	await Promise.all(c.sockets.map(giveUp));
	return { seen, used };
}

// All whose name contains a word, one after the other, for a tab has one held request: { name: { seen, used (transports of its sockets), ms } }.
async function runCases(world, word = "") {
	const results = {};
	for (const one of allCases.filter(c => c.name.includes(word))) {
		const began = performance.now();
		results[one.name] = { ...await runCase(one, world), ms: Math.round(performance.now() - began) };
	}
	return results;
}

// What a transport of the library is tried as: a class with options for each path of the server.
function worldOf(transport, at, options) {
	const world = { native: WebSocket, at, patience: 10000 };
	if (!transport)
		return { ...world, WS: WebSocket, Class: WebSocket };
	const { CulvertSocket } = CulvertWeb;
	/* What one case learned of the way, perhaps on a busy machine, is not for the next. */
	options = { ...options, environment: { storage: { getItem: () => null, setItem() {} } } };
	const pathOf = url => {
		try {
			const path = new URL(url, location.href).pathname.slice(1);
			return PATHS.includes(path) ? path : "echo";
		} catch {
			return "echo"; // it is for the class to say so
		}
	};
	if (transport === "installed") {
		CulvertSocket.install(url => ({ ...options, service: pathOf(url) }));
		return { ...world, WS: globalThis.WebSocket, Class: globalThis.WebSocket };
	}
	class Tried extends CulvertSocket {
		constructor(url, ...rest) {
			super(...(arguments.length ? [url, rest[0], { ...options, transports: [transport], native: transport === "native", service: pathOf(url) }] : []));
		}
	}
	return { ...world, WS: Tried, Class: CulvertSocket };
}
