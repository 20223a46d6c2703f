/*
 * Whether something on the way holds bodies back, by the two marks that the server sends 200 ms apart (REST.md 5): when they come
 * together, or one comes late, a message would come late as well.
 */
const APART = 200; /* ms */

export class Marks {
	/** Undefined: not known yet. */
	_good?: boolean;
	private _first = 0;

	private _slack: number; /* ms that an answer may take on this way */

	/** rtt: ms that the first one took. */
	constructor(
		private _began: number,
		rtt: number,
	) {
		this._slack = Math.min(1000 + 3 * rtt, 5000);
	}

	/** When it is not known by then, something is held back. */
	get _due(): number {
		return this._first ? this._first + APART + this._slack : this._began + this._slack;
	}

	_mark(n: number, now: number): void {
		if (n === 1)
			this._first = now;
		else if (n === 2 && this._good === undefined)
			this._good = this._first > 0 && now - this._first >= APART / 2 && now <= this._due;
	}
}
