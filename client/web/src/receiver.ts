/*
 * Brings messages of the other end here, by the best transport that works on this way; which one that is it finds out, and when the way
 * changes it finds out again. A held request needs a slot (locks.ts); without one it asks now and then. Transports follow one another
 * only: the next one begins behind the last message that was received, so that none is lost or taken twice.
 */
import { Slot } from "./locks.js";
import type { TransportName } from "./options.js";
import type { Session } from "./session.js";
import { ask, poll } from "./transport_poll.js";
import { sse } from "./transport_sse.js";
import { stream } from "./transport_stream.js";

/** A transport brings what comes until its answer ends, or throws. */
export type Transport = (session: Session, receiver: Receiver, signal: AbortSignal) => Promise<void>;

/** Thrown by a transport that does not work on this way; held: because answers that go on are held back there. */
export class Unfit {
	constructor(readonly _held = false) {}
}

const TRANSPORTS: Record<string, Transport> = { stream, sse, poll };
const HELD = "held"; /* in the memory */
const QUICK = 1000; /* ms: an answer that ended before and brought nothing was no held one */
const BAD_FOR = 600000; /* ms until a transport that failed is tried again */
const FAILURES = 3; /* in a row, of a transport that never worked */
const YIELD = 1000; /* ms at most that nothing is held, for what could not be sent */
const GAP_FIRST = 100; /* ms between two questions without a slot, growing to ... */
const GAP_LAST = 2000;

export class Receiver {
	_transport: "" | TransportName = "";
	/** Milliseconds that a poll may be held on this way. */
	_hold = 0;
	private _cut = new AbortController();
	private _slot: Slot;
	private _bad = new Map<string, number>();
	private _suspect = false; /* that answers are held back, and not that the way is dead */
	private _doubted = false;
	private _gap = GAP_FIRST;
	private _nudge = () => {};
	private _resting = false;
	private _yielded = false;

	constructor(private _session: Session) {
		this._slot = new Slot(_session._env, _session._base, () => this._nudge(), () => this._cut.abort());
	}

	get _listens(): boolean {
		return this._slot._held;
	}

	async _run(): Promise<void> {
		const session = this._session;
		let failures = 0;
		this._hold = session._terms.hold * 1000;
		this._slot._want();
		await this._nap(50); /* most often there is one at once */
		while (!session._over) {
			if (this._resting) {
				await this._nap(BAD_FOR);
				continue;
			}
			if (this._yielded) {
				await this._nap(YIELD);
				this._yielded = false;
				continue;
			}
			const { signal } = (this._cut = new AbortController());
			const began = session._env.now();
			const before = session._after;
			this._transport = this._slot._held ? this._choose() : "poll";
			try {
				this._slot._held ? await TRANSPORTS[this._transport](session, this, signal) : await this._ask(signal);
				if (session._env.now() - began < QUICK && session._after === before && this._slot._held)
					throw 0;
				failures = 0;
			} catch (error) {
				if (signal.aborted || session._over)
					failures = 0;
				else if (!this._unfit(error, failures))
					await session._troubled(error, failures++);
			}
		}
	}

	/** The transport in use has shown that it works. */
	_proven(): void {
		if (this._suspect && this._transport === "poll")
			this._session._memory._note(HELD);
		this._suspect = this._doubted = false;
	}

	/** What to throw where answers seem to be held back, and it may have been the page that was busy: tried once more. */
	_doubt(): unknown {
		this._doubted = !this._doubted;
		return this._doubted ? 0 : new Unfit(true);
	}

	/** The network is another one, or was away, or the machine slept: all is tried again. */
	_again(network: boolean): void {
		if (network)
			this._session._memory._note();
		this._resting = false;
		this._slot._want();
		this._bad.clear();
		this._hold = this._session._terms ? this._session._terms.hold * 1000 : 0;
		this._cut.abort();
		this._nudge();
	}

	/** What is held may take the only connection that there is: for a moment nothing is, until something was sent. */
	_yield(): void {
		this._yielded = true;
		this._cut.abort();
	}

	/** Until again(). */
	_rest(): void {
		this._resting = true;
		this._slot._release();
		this._cut.abort();
	}

	/** A message came, or was sent, whose answer may be near. */
	_hurry(): void {
		this._slot._busy();
		if (this._slot._held && !this._yielded)
			return;
		this._gap = GAP_FIRST;
		this._nudge();
	}

	_stop(): void {
		this._cut.abort();
		this._slot._release();
		this._nudge();
	}

	private _choose(): TransportName {
		const { _env: env, _memory: memory, _options: options, _terms: terms } = this._session;
		const fit = (name: string) =>
			TRANSPORTS[name] &&
			terms.transports.includes(name) &&
			(name !== "sse" || env.EventSource) &&
			!((this._bad.get(name) || 0) > env.now());
		return (!memory._has(HELD) && (options.transports || ["stream", "sse"]).find(fit)) || "poll";
	}

	/* True: another transport is next, at once. */
	private _unfit(error: unknown, failures: number): boolean {
		const unfit = error instanceof Unfit;
		if (this._transport === "poll" || !(unfit || failures >= FAILURES))
			return false;
		this._suspect = unfit && error._held;
		for (const name of this._suspect ? ["stream", "sse"] : [this._transport])
			this._bad.set(name, this._session._env.now() + BAD_FOR);
		return true;
	}

	/* Without a slot: asks, and pauses the longer the less comes. */
	private async _ask(signal: AbortSignal): Promise<void> {
		const before = this._session._after;
		await ask(this._session, 0, signal);
		if (this._session._after === before)
			this._gap = Math.min(this._gap * 1.4, GAP_LAST);
		await this._nap(this._gap);
	}

	private _nap(ms: number): Promise<void> {
		return new Promise((resolve) => {
			this._nudge = resolve;
			if (this._slot._held && ms === 50)
				resolve();
			void this._session._waits._sleep(ms).then(resolve);
		});
	}
}
