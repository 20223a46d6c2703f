/*
 * A session at the culvertd: what both directions share. It is opened by PUT; then a Sender brings messages there and a Receiver brings
 * those of the other end here. Each message has a number, in each direction from 1 on, so that whatever is repeated, late or lost on the
 * way, each is taken once and in order. When the server no longer knows the session, it ends with 1006: never is it begun anew silently.
 */
import type { Environment } from "./environment.js";
import type { Line, LineEvents } from "./line.js";
import type { Memory } from "./memory.js";
import type { CulvertOptions } from "./options.js";
import { BINARY, CLOSE, HEAD, Records, TEXT, closing, record, text } from "./records.js";
import { Receiver } from "./receiver.js";
import { type Asking, JSON_TYPED, type Refusal, Requests, TYPED } from "./requests.js";
import { Sender } from "./sender.js";
import { Waits } from "./waits.js";

const RETRY_FIRST = 200; /* ms, doubled each time */
const RETRY_LAST = 10000;
const OPEN_WAIT = 12000; /* ms for PUT: the server waits 10 s for the target */
const CLOSE_WAIT = 45000; /* ms for the other end's close after ours: longer than an answer that is lost takes to be missed */

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
	readonly _requests: Requests;
	readonly _waits: Waits;
	_terms!: Terms;
	readonly _buffered = 0;
	_over = false;
	/** The highest number that was received. */
	_after = 0;
	/** Milliseconds that PUT took: no request on this way is quicker by much. */
	_rtt = 500;
	private _last: number;
	readonly _sender: Sender;
	readonly _receiver: Receiver;
	private _closing: unknown;

	constructor(
		readonly _env: Environment,
		readonly _memory: Memory,
		/** The culvertd's, absolute. */
		readonly _base: string,
		readonly _options: CulvertOptions,
		readonly _events: LineEvents,
	) {
		const octets = new Uint8Array(16);
		_env.secret(octets);
		const sid = btoa(String.fromCharCode(...octets)).replace(/\+/g, "-").replace(/\//g, "_").slice(0, 22);
		this._requests = new Requests(_env, _options, `${_base}/v1/${sid}/signal/${encodeURIComponent(_options.service)}`);
		this._last = _env.now();
		this._sender = new Sender(this);
		this._receiver = new Receiver(this);
		this._waits = new Waits(
			_env,
			(network) => {
				this._sender._again();
				this._receiver._again(network);
			},
			(kept) => this._hide(kept),
		);
	}

	get _transport(): string {
		return this._receiver._transport;
	}

	/* ---- opening ---- */

	/** Tells opened(), or closed() when the target or the way does not let it. */
	async _open(protocols: string[]): Promise<void> {
		const limit = this._env.now() + (this._options.timeout || 20) * 1000;
		const body = JSON.stringify({ protocols });
		for (let n = 0; !this._over; n++) {
			try {
				const began = this._env.now();
				const octets = await this._requests._exchange("PUT", { _headers: JSON_TYPED, _body: body, _within: Math.min(limit - began, OPEN_WAIT) });
				const terms = JSON.parse(text(octets)) as Terms;
				this._heard();
				if (terms.state === "opening")
					continue;
				this._rtt = this._env.now() - began;
				this._opened(terms, protocols);
				return;
			} catch (error) {
				const pause = this._pause(error, n);
				if (pause < 0 || this._env.now() + pause >= limit)
					return this._fail(error);
				await this._waits._sleep(pause);
			}
		}
	}

	/* As with a WebSocket, a target that chooses none of those that were offered is no target. */
	private _opened(terms: Terms, protocols: string[]): void {
		if (this._over)
			return;
		if (protocols.length && !protocols.includes(terms.protocol))
			return this._fail();
		this._terms = terms;
		this._events._opened(terms.protocol);
		this._sender._start();
		void this._receiver._run();
	}

	/* ---- what the two directions tell ---- */

	/** The server answered. */
	_heard(): void {
		this._last = this._env.now();
	}

	/** What came in an answer: the head's fields, with its messages taken. */
	_answer(octets: Uint8Array): any {
		let fields: any;
		let number = 0;
		const before = this._after;
		new Records((type, payload) => {
			if (type === HEAD) {
				fields = JSON.parse(text(payload));
				number = fields.seq;
			} else if (fields) {
				this._take(number++, type, payload);
			}
		})._feed(octets);
		if (!fields)
			throw 0;
		this._heard();
		if (this._after !== before)
			this._sender._dealt();
		return fields;
	}

	/** A message; any but the next one was here before, or comes again. */
	_take(number: number, type: number, payload: Uint8Array): void {
		if (this._over || number !== this._after + 1)
			return;
		this._after = number;
		this._sender._took(payload.length);
		this._receiver._hurry();
		if (type === TEXT)
			this._events._message(text(payload));
		else if (type === BINARY)
			this._events._message(payload);
		else if (type === CLOSE)
			this._end(payload.length > 1 ? (payload[0] << 8) | payload[1] : 1005, text(payload.subarray(2)));
	}

	/** After an error: waits until it is time to try again; n: how often it failed before. Ends the session when that is useless. */
	async _troubled(error: unknown, n: number): Promise<void> {
		if (this._over)
			return;
		const pause = this._pause(error, n);
		if (pause < 0 || this._env.now() - this._last > this._terms.expires * 1000)
			this._fail(error);
		else
			await this._waits._sleep(pause);
	}

	/* Milliseconds; -1: never. */
	private _pause(error: unknown, n: number): number {
		const { _fatal, _pause, _alive } = Object(error) as Refusal;
		if (_fatal)
			return -1;
		if (_alive)
			this._heard();
		const pause = Math.min(RETRY_FIRST * 2 ** n, RETRY_LAST) * (0.5 + this._env.random() / 2);
		return _pause ? _pause * (1 + this._env.random() / 10) : pause;
	}

	/* ---- Line ---- */

	_send(data: Uint8Array | Blob, binary: boolean): void {
		if (data instanceof Uint8Array) {
			if (data.length > this._terms.message_max)
				return this._fail(0, 1009);
			this._sender._put(record(binary ? BINARY : TEXT, data), data.length);
		} else {
			this._sender._put(data.arrayBuffer().then((b) => record(BINARY, new Uint8Array(b))), data.size);
		}
	}

	_close(code: number | undefined, reason: string): void {
		this._sender._put(record(CLOSE, closing(code, reason)), 0);
		this._closing = this._env.setTimeout(() => this._fail(), CLOSE_WAIT);
	}

	_abandon(): void {
		this._finish();
	}

	/* ---- the end ---- */

	private _end(code: number, reason: string): void {
		if (!this._finish())
			return;
		/* With 1006 the reason is for people. A mere cut is no error to a WebSocket, only an end that is not clean. */
		const lost = code === 1006;
		this._events._closed(code, lost ? "" : reason, !lost, lost && !/cut$/.test(reason));
	}

	/** The session is lost, or never was. */
	_fail(why?: unknown, code = 1006): void {
		if (this._finish((Object(why) as Refusal)._fatal))
			this._events._closed(code, "", false, true);
	}

	/*
	 * The page goes. One that may come back keeps its session, but nothing that would hinder its being kept. From another one what waits
	 * and, as from a native WebSocket, a close with 1001 go out in a last request, which the browser sends all the same.
	 */
	private _hide(kept: boolean): void {
		if (kept) {
			this._receiver._rest();
			return;
		}
		if (!this._closing)
			this._close(1001, "");
		const last = this._sender._last();
		if (this._finish(!!last) && last)
			this._leave("POST", { _headers: TYPED, _body: last });
	}

	/* False: it was over before. What the server has still is deleted, unless it is gone: else it expires. */
	private _finish(gone = false): boolean {
		if (this._over)
			return false;
		this._over = true;
		this._env.clearTimeout(this._closing);
		this._waits._stop();
		this._sender._again();
		this._receiver._stop();
		if (!gone)
			this._leave("DELETE", {});
		return true;
	}

	/* Once, and nobody waits for it. */
	private _leave(method: string, asking: Partial<Asking>): void {
		this._requests._exchange(method, { ...asking, _within: 10000, _keepalive: true }).catch(() => {});
	}
}
