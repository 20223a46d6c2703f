/*
 * Brings messages to the server: all that wait go in one POST, and while it is under way two more may follow. Each is repeated, with
 * the same numbers, until it was answered; so nothing is lost, and the server takes nothing twice. A POST never waits for an answer of
 * the application; that is the Receiver's part.
 */
import type { Session } from "./session.js";
import { head, join } from "./records.js";
import { TYPED } from "./requests.js";

const FLIGHTS = 3; /* with the held request four of a browser's six connections, and these for the time of an exchange */
const BATCH = 1 << 20; /* octets in one POST: the server takes no longer ones */
const OVERHEAD = 64; /* octets that a message counts beside its own, at the server */
const LAST_MAX = 60000; /* octets: browsers send no more for a page that is gone */
const WITHIN = 20000; /* ms for a POST ... */
const SLOWEST = 4; /* ... and one more for so many octets */

interface Entry {
	/** Undefined while a Blob is read. */
	_record?: Uint8Array;
	_size: number;
	_taken: boolean;
}

export class Sender {
	private _queue: Entry[] = [];
	private _first = 1; /* number of the first in the queue */
	private _next = 0; /* index of the first that never went */
	private _flights = 0;
	private _weight = 0; /* of what went and is not known to be taken, in order */
	private _count = 0;
	private _unsaid = 0; /* weight of what was received and not acknowledged */
	private _started = false;
	private _pumping = false;
	private _dealing = 0; /* answers whose messages the application is being told */
	private _cut = new AbortController();

	constructor(private _session: Session) {}

	_put(record: Uint8Array | Promise<Uint8Array>, size: number): void {
		const entry: Entry = { _size: size, _taken: false };
		this._queue.push(entry);
		if (record instanceof Uint8Array) {
			entry._record = record;
			this._soon();
			return;
		}
		record.then(
			(octets) => {
				entry._record = octets;
				this._soon();
			},
			() => this._session._fail(),
		);
	}

	_start(): void {
		this._started = true;
		this._soon();
	}

	/** What is under way may be dead: it goes again. */
	_again(): void {
		this._cut.abort();
		this._cut = new AbortController();
	}

	/** All that may not be there as one body, the last one; nothing when that cannot be. */
	_last(): Uint8Array | undefined {
		if (!this._started || !this._queue.every((entry) => entry._record))
			return undefined;
		const fields = { seq: this._first, after: this._session._after, wait: 0 };
		const body = join([head(fields), ...this._queue.map((entry) => entry._record!)]);
		return body.length < LAST_MAX ? body : undefined;
	}

	/** A message came; when much did, the server must know before it stops. */
	_took(octets: number): void {
		const { window, messages_max } = this._session._terms;
		this._unsaid += Math.max(octets + OVERHEAD, window / messages_max);
		if (this._unsaid > window / 4)
			this._soon((f) => this._session._env.task(f)); /* unless the Receiver asks again before, and says it */
	}

	/** Messages came together: what the application says to each of them goes together, too, behind the last one's event. */
	_dealt(): void {
		this._dealing++;
		this._session._env.task(() => {
			this._dealing--;
			this._pump();
		});
	}

	_acknowledged(): void {
		this._unsaid = 0;
	}

	/* In a microtask: what the application sends in one go, goes together. */
	private _soon(turn: (f: () => void) => void = (f) => void Promise.resolve().then(f)): void {
		if (this._pumping || this._dealing)
			return;
		this._pumping = true;
		turn(() => {
			this._pumping = false;
			this._pump();
		});
	}

	private _pump(): void {
		while (this._started && !this._session._over && this._flights < FLIGHTS) {
			const batch = this._batch();
			if (!batch.length && (this._flights || this._unsaid <= this._session._terms.window / 4))
				return;
			void this._fly(this._first + this._next - batch.length, batch);
		}
	}

	/* What may go now: the server's window limits it, but one message alone may be longer. */
	private _batch(): Entry[] {
		const { window, messages_max } = this._session._terms;
		const batch: Entry[] = [];
		for (let size = 0; this._next < this._queue.length; this._next++) {
			const entry = this._queue[this._next];
			if (!entry._record)
				break;
			const n = entry._record.length + OVERHEAD;
			if (this._count && (this._weight + n > window || this._count >= messages_max || (size && size + n > BATCH)))
				break;
			batch.push(entry);
			size += n;
			this._weight += n;
			this._count++;
		}
		return batch;
	}

	private async _fly(seq: number, batch: Entry[]): Promise<void> {
		const session = this._session;
		const records = batch.map((entry) => entry._record!);
		this._flights++;
		for (let failures = 0; !session._over; failures++) {
			const fields = { seq, after: session._after, wait: 0, quiet: session._receiver._listens };
			const body = join([head(fields), ...records]);
			this._acknowledged();
			try {
				const within = WITHIN + body.length / SLOWEST;
				session._answer(await session._requests._exchange("POST", { _headers: TYPED, _body: body, _within: within, _signal: this._cut.signal }));
				break;
			} catch (error) {
				await session._troubled(error, failures);
				if (failures)
					session._receiver._yield();
			}
		}
		this._flights--;
		if (!session._over)
			this._landed(batch);
	}

	private _landed(batch: Entry[]): void {
		for (const entry of batch)
			entry._taken = true;
		let gone = 0;
		let octets = 0;
		/* Those behind one that is still on its way wait at the server, and fill its window. */
		for (; gone < this._queue.length && this._queue[gone]._taken; gone++) {
			octets += this._queue[gone]._size;
			this._weight -= this._queue[gone]._record!.length + OVERHEAD;
			this._count--;
		}
		this._queue.splice(0, gone);
		this._first += gone;
		this._next -= gone;
		this._session._events._sent(octets);
		if (batch.length)
			this._session._receiver._hurry();
		this._pump();
	}
}
