/*
 * Pauses that end early when the network or the machine comes back. A machine that slept is noticed by a timer that is late: then what
 * was under way is dead most likely, and nobody else will tell.
 */
import type { Environment } from "./environment.js";

const TICK = 5000; /* ms */
const LATE = 15000; /* ms between two ticks: this was no delay but sleep */
const NEWS = ["online", "pageshow", "change", "resume", "visibilitychange", "pagehide"];

export class Waits {
	private _waiting = new Set<() => void>();
	private _ticked: number;
	private _timer: unknown;
	private _stopped = false;

	/** woken: all may be different, by an event (network: which says so of that), or after sleep; hidden: the page goes, and may come back if it is kept. */
	constructor(
		private _env: Environment,
		private _woken: (network: boolean) => void,
		private _hidden: (kept: boolean) => void,
	) {
		this._ticked = _env.now();
		this._tick();
		this._listen("addEventListener");
	}

	private _listen(how: "addEventListener" | "removeEventListener"): void {
		for (const target of this._env.events)
			for (const name of NEWS)
				target[how](name, this._news);
	}

	_sleep(ms: number): Promise<void> {
		return new Promise((resolve) => {
			if (this._stopped)
				return resolve();
			const wake = () => {
				this._env.clearTimeout(timer);
				this._waiting.delete(wake);
				resolve();
			};
			const timer = this._env.setTimeout(wake, ms);
			this._waiting.add(wake);
		});
	}

	_wake(): void {
		for (const wake of [...this._waiting])
			wake();
	}

	/** Nobody sleeps any more. */
	_stop(): void {
		this._stopped = true;
		this._wake();
		this._env.clearTimeout(this._timer);
		this._listen("removeEventListener");
	}

	private _tick = (): void => {
		this._look();
		this._timer = this._env.setTimeout(this._tick, TICK);
	};

	private _look(): void {
		const now = this._env.now();
		const late = now - this._ticked > LATE;
		this._ticked = now;
		if (late)
			this._all(false);
	}

	/*
	 * A page that is seen again, or was loaded, tries again; but only what slept, or has another network, drops what is under way:
	 * browsers forget answers of pages that were frozen, without an error.
	 */
	private _news = (event: Event): void => {
		this._look();
		const { type, persisted } = event as PageTransitionEvent;
		if (type === "pagehide")
			this._hidden(persisted);
		else if (type === "visibilitychange" || persisted === false)
			this._wake();
		else
			this._all(type === "online" || type === "change");
	};

	private _all(network: boolean): void {
		this._wake();
		this._woken(network);
	}
}
