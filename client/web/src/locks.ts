/*
 * Slots for held requests. A browser has six connections to a host without HTTP/2, which the page needs as well: so one socket of a tab
 * holds a request, and four of an origin's tabs, by Web Locks. Who has no slot waits for one here; in a tab it is given over to one that
 * has something to say or hear when its holder had nothing for a while.
 */
import type { Environment } from "./environment.js";

const SLOTS = 4;
const IDLE = 5000; /* ms without a message */
const turns = new Map<string, Slot[]>(); /* of this tab, by gateway */

export class Slot {
	_held = false;
	private _wanted = false;
	private _used = 0;
	private _key: string;
	private _free = () => {};

	constructor(
		private _env: Environment,
		base: string,
		private _granted: () => void,
		private _lost: () => void,
	) {
		this._key = new URL(base).origin;
	}

	_want(): void {
		if (this._wanted)
			return;
		this._wanted = true;
		const turn = turns.get(this._key) || [];
		turns.set(this._key, turn);
		if (turn.push(this) === 1)
			this._first();
	}

	_release(): void {
		if (!this._wanted)
			return;
		const turn = turns.get(this._key)!;
		const first = turn[0] === this;
		turn.splice(turn.indexOf(this), 1);
		this._wanted = this._held = false;
		this._free();
		if (first && turn.length)
			turn[0]._first();
	}

	/** A message came or went. */
	_busy(): void {
		const first = (turns.get(this._key) || [])[0];
		this._used = this._env.now();
		if (this._wanted && first !== this && this._used - first._used > IDLE)
			first._yield(this);
	}

	private _yield(to: Slot): void {
		const turn = turns.get(this._key)!;
		turn.splice(turn.indexOf(to), 1);
		turn.splice(1, 0, to);
		this._release();
		this._want();
		this._lost();
	}

	/* It is this one's turn in the tab: the first of the four locks that is free will do. */
	private _first(): void {
		const { locks } = this._env;
		if (!locks)
			return this._take();
		const stop = new AbortController();
		const granted = () => {
			if (this._held || !this._wanted || stop.signal.aborted)
				return undefined;
			const freed = new Promise<void>((resolve) => (this._free = resolve));
			this._take();
			stop.abort();
			return freed;
		};
		this._free = () => stop.abort();
		for (let i = 0; i < SLOTS; i++)
			locks.request(`culvert ${this._key} ${i}`, { signal: stop.signal }, granted).catch((error) => {
				if (error.name !== "AbortError" && this._wanted && !this._held)
					this._take(); /* there are no locks for this page */
			});
	}

	private _take(): void {
		this._held = true;
		this._granted();
	}
}
