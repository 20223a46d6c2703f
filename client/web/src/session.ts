/*
 * A session at the culvertd: what both directions share. It is opened by PUT; then a Sender brings messages there and a Receiver brings
 * those of the other end here. Each message has a number, in each direction from 1 on, so that whatever is repeated, late or lost on the
 * way, each is taken once and in order. When the server no longer knows the session, it ends with 1006: never is it begun anew silently.
 */
import type { Environment } from "./environment.js";
import type { Line, LineEvents } from "./line.js";
import type { CulvertOptions } from "./options.js";
import { BINARY, CLOSE, HEAD, Records, TEXT, closing, record, text } from "./records.js";
import { Receiver } from "./receiver.js";
import { Refusal, Requests } from "./requests.js";
import { Sender } from "./sender.js";
import { Waits } from "./waits.js";

const RETRY_FIRST = 200; /* ms, doubled each time */
const RETRY_LAST = 10000;
const CLOSE_WAIT = 30000; /* ms for the other end's close after ours */

/* What PUT answers. */
export interface Terms {
	protocol: string;
	hold: number;
	expires: number;
	window: number;
	messages_max: number;
	message_max: number;
	transports: string[];
	state: string;
}

export class Session implements Line {
	readonly requests: Requests;
	readonly waits: Waits;
	terms!: Terms;
	over = false;
	/** The highest number that was received. */
	after = 0;
	/** Milliseconds that PUT took: no request on this way is quicker by much. */
	rtt = 500;
	private _heard: number;
	private _sender: Sender;
	private _receiver: Receiver;
	private _closing: unknown;

	constructor(
		readonly env: Environment,
		readonly options: CulvertOptions,
		readonly events: LineEvents,
	) {
		const octets = new Uint8Array(16);
		env.secret(octets);
		const sid = btoa(String.fromCharCode(...octets)).replace(/\+/g, "-").replace(/\//g, "_").slice(0, 22);
		const base = options.base.replace(/\/$/, "");
		this.requests = new Requests(env, options, `${base}/v1/${sid}/signal/${encodeURIComponent(options.service)}`);
		this._heard = env.now();
		this._sender = new Sender(this);
		this._receiver = new Receiver(this);
		this.waits = new Waits(env, () => {
			this._sender.again();
			this._receiver.again();
		});
		for (const target of env.events)
			target.addEventListener("pagehide", this._hide);
	}

	get transport(): string {
		return this._receiver.transport;
	}

	/** A held request brings what comes, so that other answers need not. */
	get listens(): boolean {
		return this._receiver.listens;
	}

	/* ---- opening ---- */

	/** Tells opened(), or closed() when the target or the way does not let it. */
	async open(protocols: string[]): Promise<void> {
		const limit = this.env.now() + (this.options.timeout || 20) * 1000;
		const body = JSON.stringify({ protocols });
		for (let n = 0; !this.over; n++) {
			try {
				const began = this.env.now();
				const octets = await this.requests.exchange("PUT", { type: "application/json", body, within: limit - began });
				const terms = JSON.parse(text(octets)) as Terms;
				this.heard();
				if (terms.state === "opening")
					continue;
				this.rtt = this.env.now() - began;
				this._opened(terms, protocols);
				return;
			} catch (error) {
				const pause = this._pause(error, n);
				if (pause < 0 || this.env.now() + pause >= limit)
					return this.fail(String(error));
				await this.waits.sleep(pause);
			}
		}
	}

	/* As with a WebSocket, a target that chooses none of those that were offered is no target. */
	private _opened(terms: Terms, protocols: string[]): void {
		if (this.over)
			return;
		if (protocols.length && !protocols.includes(terms.protocol))
			return this.fail("the target chose none of the subprotocols");
		this.terms = terms;
		this.events.opened(terms.protocol);
		this._sender.start();
		void this._receiver.run();
	}

	/* ---- what the two directions tell ---- */

	/** The server answered. */
	heard(): void {
		this._heard = this.env.now();
	}

	/** What came in an answer: the head's fields, with its messages taken. */
	answer(octets: Uint8Array): any {
		let fields: any;
		let number = 0;
		new Records((type, payload) => {
			if (type === HEAD) {
				fields = JSON.parse(text(payload));
				number = fields.seq;
			} else if (fields) {
				this.take(number++, type, payload);
			}
		}).feed(octets);
		if (!fields)
			throw new Error("no answer of a culvertd");
		this.heard();
		return fields;
	}

	/** A request with `after` goes out. */
	acknowledged(): void {
		this._sender.acknowledged();
	}

	/** Something was sent: its answer may be near. */
	hurry(): void {
		this._receiver.hurry();
	}

	/** A message; any but the next one was here before, or comes again. */
	take(number: number, type: number, payload: Uint8Array): void {
		if (this.over || number !== this.after + 1)
			return;
		this.after = number;
		this._sender.took(payload.length);
		if (type === TEXT)
			this.events.message(text(payload));
		else if (type === BINARY)
			this.events.message(payload);
		else if (type === CLOSE)
			this._end(payload.length > 1 ? (payload[0] << 8) | payload[1] : 1005, text(payload.subarray(2)));
	}

	/** After an error: waits until it is time to try again; n: how often it failed before. Ends the session when that is useless. */
	async troubled(error: unknown, n: number): Promise<void> {
		if (this.over)
			return;
		const pause = this._pause(error, n);
		if (pause < 0 || this.env.now() - this._heard > this.terms.expires * 1000)
			this.fail(String(error));
		else
			await this.waits.sleep(pause);
	}

	/* Milliseconds; -1: never. */
	private _pause(error: unknown, n: number): number {
		const refusal = error instanceof Refusal ? error : undefined;
		if (refusal && refusal.fatal)
			return -1;
		const pause = Math.min(RETRY_FIRST * 2 ** n, RETRY_LAST) * (0.5 + this.env.random() / 2);
		return refusal && refusal.after ? refusal.after * (1 + this.env.random() / 10) : pause;
	}

	/* ---- Line ---- */

	send(data: Uint8Array | Blob, binary: boolean): void {
		if (data instanceof Uint8Array) {
			if (data.length > this.terms.message_max)
				return this.fail("a message is longer than the server takes", 1009);
			this._sender.put(record(binary ? BINARY : TEXT, data), data.length);
		} else {
			this._sender.put(data.arrayBuffer().then((b) => record(BINARY, new Uint8Array(b))), data.size);
		}
	}

	close(code: number | undefined, reason: string): void {
		this._sender.put(record(CLOSE, closing(code, reason)), 0);
		this._closing = this.env.setTimeout(() => this.fail("the other end did not close"), CLOSE_WAIT);
	}

	abandon(): void {
		if (this._finish())
			this._delete();
	}

	/* ---- the end ---- */

	private _end(code: number, reason: string): void {
		if (!this._finish())
			return;
		this._delete();
		/* With 1006 the reason is for people. A mere cut is no error to a WebSocket, only an end that is not clean. */
		const lost = code === 1006;
		this.events.closed(code, lost ? "" : reason, !lost, lost && !/cut$/.test(reason) ? reason : "");
	}

	/** The session is lost, or never was. */
	fail(why: string, code = 1006): void {
		if (!this._finish())
			return;
		this._delete();
		this.events.closed(code, "", false, why);
	}

	private _finish(): boolean {
		if (this.over)
			return false;
		this.over = true;
		for (const target of this.env.events)
			target.removeEventListener("pagehide", this._hide);
		this.env.clearTimeout(this._closing);
		this.waits.stop();
		this._receiver.stop();
		return true;
	}

	/* Once, and nobody waits for it: what is not deleted expires. */
	private _delete(): void {
		this.requests.exchange("DELETE", { within: 10000, keepalive: true }).catch(() => {});
	}

	/* The page goes. One that may come back keeps its session, but nothing that would hinder its being kept. */
	private _hide = (event: Event): void => {
		if ((event as PageTransitionEvent).persisted)
			this._receiver.rest();
		else
			this.abandon();
	};
}
