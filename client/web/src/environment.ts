/*
 * What the library uses of the platform, in one place: pages and workers give all of it, node most. Tests hand in their own, and with
 * it the time.
 */

/** What may be handed in instead of the platform's. */
export interface Environment {
	fetch(url: string, init: RequestInit): Promise<Response>;
	/** Milliseconds of wall-clock time: it goes on while the machine sleeps. */
	now(): number;
	setTimeout(f: () => void, ms: number): unknown;
	clearTimeout(timer: any): void;
	/** Runs f as a task of its own, as each event of a native WebSocket is one. */
	task(f: () => void): void;
	/** 0 <= random() < 1. */
	random(): number;
	/** Fills with octets that nobody can guess. */
	secret(octets: Uint8Array): void;
	locks?: LockManager;
	storage?: Storage;
	EventSource?: typeof EventSource;
	WebSocket?: typeof WebSocket;
	/** What tells of `online`, `pageshow` and the like. */
	events: EventTarget[];
}

/** The page's or the worker's global object. */
export const here = globalThis as any;
/* Kept before install() replaces it. */
export const Native: typeof WebSocket | undefined = typeof WebSocket === "function" ? WebSocket : undefined;

/* A page's way to a task that no timer's minimum delays. */
function taskByChannel(): (f: () => void) => void {
	const channel = new MessageChannel();
	const due: (() => void)[] = [];
	channel.port1.onmessage = () => due.shift()!();
	return (f) => {
		due.push(f);
		channel.port2.postMessage(0);
	};
}

function taskMaker(): (f: () => void) => void {
	if (typeof here.setImmediate === "function")
		return (f) => here.setImmediate(f);
	return taskByChannel();
}

/* Its mere reading may be forbidden. */
function storage(): Storage | undefined {
	try {
		return here.localStorage;
	} catch {
		return undefined;
	}
}

let task: ((f: () => void) => void) | undefined;

export function environment(given: Partial<Environment> = {}): Environment {
	const platform: Environment = {
		fetch: (url, init) => here.fetch(url, init),
		now: () => Date.now(),
		setTimeout: (f, ms) => here.setTimeout(f, ms),
		clearTimeout: (timer) => here.clearTimeout(timer),
		task: (f) => (task = task || taskMaker())(f),
		random: () => Math.random(),
		secret: (octets) => void here.crypto.getRandomValues(octets),
		locks: here.navigator?.locks,
		storage: here.window && storage(),
		EventSource: here.EventSource,
		WebSocket: Native,
		events: [here, here.document, here.navigator?.connection].filter((e) => e && e.addEventListener),
	};
	return Object.assign(platform, given);
}
