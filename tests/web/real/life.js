// What the pages have in common: the sockets that a client made, times, waits with an end.
// A page's steps are { name: milliseconds since the client was started }.

export const sockets = [];

// Whatever class the page has by now stays what it is; only that its objects are known here.
export function watchSockets() {
	window.WebSocket = new Proxy(window.WebSocket, {
		construct(target, args) {
			const socket = new target(...args);
			const seen = { url: String(args[0]), socket, closed: null, sent: 0, received: 0, end: deferred() };
			const send = socket.send;
			socket.send = data => {
				seen.sent++;
				send.call(socket, data);
			};
			socket.addEventListener("message", () => seen.received++);
			socket.addEventListener("close", e => {
				seen.closed = [e.code, e.reason, e.wasClean];
				seen.end.yes();
			});
			sockets.push(seen);
			return socket;
		},
	});
}

export async function within(ms, promise, what) {
	let timer;
	const late = new Promise((_, no) => { timer = setTimeout(() => no(new Error(what + ": nothing came within " + ms + " ms")), ms); });
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}

export class Steps {
	constructor() {
		this.began = performance.now();
		this.at = {};
	}

	done(name) {
		this.at[name] = Math.round(performance.now() - this.began);
	}

	// Waits for a promise, or fails with the step's name.
	async wait(name, promise, ms = 20000) {
		try {
			const value = await within(ms, promise, name);
			this.done(name);
			return value;
		} catch (e) {
			e.step ??= name;
			throw e;
		}
	}
}

// A promise that callbacks settle.
export function deferred() {
	let yes, no;
	const promise = new Promise((a, b) => { yes = a; no = b; });
	promise.catch(() => {});
	return { promise, yes, no: why => no(why instanceof Error ? why : new Error(String(why))) };
}

// Milliseconds of each of n exchanges, one after the other.
export async function exchanges(n, one) {
	const taken = [];
	for (let i = 0; i < n; i++) {
		const at = performance.now();
		await one(i);
		taken.push(performance.now() - at);
	}
	return taken.map(t => Math.round(t * 10) / 10);
}

// Runs a page's life; what came of it, also when it failed.
export function page(life) {
	watchSockets();
	window.run = async options => {
		const steps = new Steps();
		const result = { steps: steps.at, latency: [], failed: null };
		try {
			await within(50000, life(options, steps, result), "all of it");
			await steps.wait("closed", Promise.all(sockets.map(s => s.end.promise)));
		} catch (e) {
			result.failed = { step: e.step ?? "?", why: String(e.message ?? e) };
		}
		result.sockets = sockets.map(s => ({ url: s.url, transport: s.socket.transport ?? "websocket", state: s.socket.readyState, sent: s.sent, received: s.received, closed: s.closed }));
		return result;
	};
}
