// A library, a network with faults and a server, in time of their own.
import { CulvertSocket } from "../dist/culvert-web.js";
import { Clock, seeded } from "./clock.mjs";
import { Network } from "./network.mjs";
import { Server } from "./server.mjs";

export { CulvertSocket };

let rigs = 0;

export class Rig {
	constructor({ seed = 1, faults, server, environment, ...options } = {}) {
		this.random = seeded(seed);
		this.clock = new Clock();
		this.server = new Server(this.clock, server);
		this.network = new Network(this.clock, this.server, this.random, faults);
		this.page = new EventTarget();
		this.storage = new Map();
		this.environment = {
			fetch: this.network.fetch,
			now: this.clock.now,
			setTimeout: this.clock.setTimeout,
			clearTimeout: this.clock.clearTimeout,
			task: (f) => this.clock.setTimeout(f, 0),
			random: this.random,
			secret: (octets) => octets.forEach((_, i) => (octets[i] = this.random() * 256)),
			EventSource: this.network.EventSource,
			WebSocket: undefined,
			locks: undefined,
			storage: { getItem: (key) => this.storage.get(key) ?? null, setItem: (key, value) => this.storage.set(key, value) },
			events: [this.page],
			...environment,
		};
		this.options = { base: `https://gw${++rigs}.example/culvert`, service: "sig", token: "secret", environment: this.environment, ...options };
	}

	/** A socket, with what happened to it in `log`. */
	socket(protocols, options) {
		const socket = new CulvertSocket("wss://app.example/janus", protocols, { ...this.options, ...options });
		socket.log = [];
		socket.binaryType = "arraybuffer";
		socket.addEventListener("open", () => socket.log.push("open"));
		socket.addEventListener("message", ({ data }) => socket.log.push(data));
		socket.addEventListener("error", () => socket.log.push("error"));
		socket.addEventListener("close", ({ code, reason, wasClean }) => socket.log.push([code, reason, wasClean]));
		return socket;
	}

	/** An open one, and its session. */
	async open(protocols, options) {
		const socket = this.socket(protocols, options);
		await this.clock.run(30000, () => socket.readyState !== 0);
		return { socket, session: [...this.server.sessions.values()].pop() };
	}

	tell(name, fields = {}) {
		this.page.dispatchEvent(Object.assign(new Event(name), fields));
	}
}

export const text = (data) => ({ type: "text", data });
