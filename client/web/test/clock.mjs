// Time that passes when it is told to: timers run in their order, and between two of them everything that was promised happens.
export class Clock {
	#timers = [];
	#count = 0;
	#slept = 0;
	time = 1e12;

	/** Wall-clock time: timers do not see what was slept. */
	now = () => this.time + this.#slept;

	setTimeout = (f, ms) => {
		const timer = { at: this.time + Math.max(ms, 0), n: this.#count++, f };
		let i = this.#timers.push(timer) - 1;
		for (; i > 0; ) {
			const up = (i - 1) >> 1;
			if (!before(timer, this.#timers[up]))
				break;
			this.#timers[i] = this.#timers[up];
			i = up;
		}
		this.#timers[i] = timer;
		return timer;
	};

	clearTimeout = (timer) => {
		if (timer)
			timer.f = null;
	};

	/** The machine sleeps: afterwards every timer is late. */
	sleep(ms) {
		this.#slept += ms;
	}

	wait(ms) {
		return new Promise((resolve) => this.setTimeout(resolve, ms));
	}

	/** Until `done` says so; false: not within ms. */
	async run(ms, done = () => false) {
		const end = this.time + ms;
		await settled();
		while (!done()) {
			const next = this.#timers[0];
			if (!next || next.at > end) {
				this.time = end;
				return done();
			}
			this.#pop();
			if (!next.f)
				continue;
			this.time = Math.max(this.time, next.at);
			next.f();
			await settled();
		}
		return true;
	}

	#pop() {
		const last = this.#timers.pop();
		const n = this.#timers.length;
		if (!n)
			return;
		let i = 0;
		for (;;) {
			let down = 2 * i + 1;
			if (down >= n)
				break;
			if (down + 1 < n && before(this.#timers[down + 1], this.#timers[down]))
				down++;
			if (!before(this.#timers[down], last))
				break;
			this.#timers[i] = this.#timers[down];
			i = down;
		}
		this.#timers[i] = last;
	}
}

const before = (a, b) => a.at < b.at || (a.at === b.at && a.n < b.n);
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A generator of numbers 0 <= x < 1 that is the same for the same seed (mulberry32). */
export function seeded(seed) {
	let a = seed >>> 0;
	return () => {
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), a | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
}
