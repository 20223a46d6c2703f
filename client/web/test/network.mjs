// What is between a library and a server, as fetch: delays, and faults by chance: requests and answers that are lost, with an error or
// in silence, requests that come twice, the copy late; too many at a time, answers that are cut anywhere, or held back; a machine that sleeps.
import { eventSource } from "./eventsource.mjs";

const QUIET = { lostRequest: 0, lostAnswer: 0, silent: 0, copy: 0, cut: 0, late: 0, buffers: false, lumps: 0, connections: Infinity, least: 5, most: 15 };

export class Network {
	flights = 0;
	asked = [];
	down = false;

	constructor(clock, server, random = Math.random, faults = {}) {
		this.clock = clock;
		this.server = server;
		this.random = random;
		this.faults = { ...QUIET, ...faults };
		this.EventSource = eventSource(this.fetch);
	}

	#delay() {
		const { least, most, late } = this.faults;
		return this.#chance(late) ? 3000 * this.random() : least + (most - least) * this.random();
	}

	#chance(p) {
		return this.random() < p;
	}

	/** All that is under way is lost, and nobody is told. */
	sleep() {
		this.epoch = (this.epoch || 0) + 1;
	}

	fetch = (address, init) =>
		new Promise((resolve, reject) => {
			const epoch = this.epoch;
			const url = new URL(address);
			const method = init.method || "GET";
			const body = typeof init.body === "string" ? init.body : init.body && init.body.slice();
			const abort = () => fail(new DOMException("aborted", "AbortError"));
			let over = false;
			const fail = (error) => {
				if (!over)
					this.flights--;
				over = true;
				reject(error);
			};
			this.flights++;
			this.asked.push({ method, url: address, init });
			if (init.signal?.aborted)
				return abort();
			if (this.flights > this.faults.connections)
				return void this.clock.wait(this.#delay()).then(() => fail(new TypeError("Failed to fetch")));
			init.signal?.addEventListener("abort", abort);
			void this.#exchange(method, url, init, body).then(
				(answer) => {
					if (over || epoch !== this.epoch)
						return;
					over = true;
					this.flights--;
					resolve(answer);
				},
				(error) => epoch === this.epoch && error && fail(error),
			);
			return undefined;
		});

	/* Rejects with nothing where nobody is told. */
	#lost() {
		return this.#chance(this.faults.silent) ? undefined : new TypeError("Failed to fetch");
	}

	async #exchange(method, url, init, body) {
		const at = (ms) => this.clock.wait(ms);
		const deliver = () => this.server.handle(method, url, { ...init.headers }, body);
		await at(this.#delay());
		if (this.down || this.#chance(this.faults.lostRequest))
			throw this.#lost();
		if (this.#chance(this.faults.copy))
			void at(this.random() * 5000).then(deliver).then((answer) => answer.stream?.({ write() {}, end() {} }) || 0).catch(() => {});
		const answer = await deliver();
		if (answer.stream)
			return this.#streamed(answer, init.signal);
		await at(this.#delay());
		if (this.down || this.#chance(this.faults.lostAnswer))
			throw this.#lost();
		return this.#whole(answer);
	}

	#whole({ status, headers, body }) {
		const octets = async () => {
			if (this.#chance(this.faults.cut))
				throw new TypeError("terminated");
			return body.slice().buffer;
		};
		return { status, ok: status < 300, headers: new Headers(headers), arrayBuffer: octets, json: async () => JSON.parse(new TextDecoder().decode(body)) };
	}

	/* Pieces in their order, each as late as the way is; one may be cut anywhere, and then nothing comes any more. */
	async #streamed(answer, signal) {
		const pieces = [];
		let waiting;
		let broken;
		let last = this.clock.now();
		const epoch = this.epoch;
		const stopped = new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
		const put = (piece) => {
			if (epoch !== this.epoch)
				return;
			pieces.push(piece);
			waiting?.();
		};
		const later = (piece) => {
			last = Math.max(last, this.clock.time + this.#delay());
			if (this.faults.lumps)
				last = Math.ceil(last / this.faults.lumps) * this.faults.lumps;
			this.clock.setTimeout(() => put(piece), last - this.clock.time);
		};
		const sink = {
			write: (octets) => {
				if (broken || this.faults.buffers)
					return;
				if (!this.down && !this.#chance(this.faults.cut))
					return later({ value: octets });
				broken = true;
				const n = Math.floor(this.random() * octets.length);
				if (n)
					later({ value: octets.slice(0, n) });
				later({ error: new TypeError("network error") });
				sink.onbroken?.();
			},
			end: () => broken || this.faults.buffers || later({ done: true }),
		};
		answer.stream(sink);
		signal?.addEventListener("abort", () => sink.onbroken?.());
		if (this.faults.buffers)
			await new Promise((resolve, reject) => signal.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError"))));
		await this.clock.wait(this.#delay());
		const read = async () => {
			while (!pieces.length) {
				if (signal.aborted)
					throw new DOMException("aborted", "AbortError");
				await Promise.race([stopped, new Promise((resolve) => (waiting = resolve))]);
			}
			const piece = pieces.shift();
			if (piece.error)
				throw piece.error;
			return piece.done ? { done: true } : { done: false, value: piece.value };
		};
		return { status: 200, ok: true, headers: new Headers(answer.headers), body: { getReader: () => ({ read }) } };
	}
}
