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

const global = globalThis as any;
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
	if (typeof global.setImmediate === "function")
		return (f) => global.setImmediate(f);
	return typeof MessageChannel === "function" ? taskByChannel() : (f) => void setTimeout(f, 0);
}

/* A property whose mere reading may be forbidden. */
function allowed<T>(read: () => T): T | undefined {
	try {
		return read();
	} catch {
		return undefined;
	}
}

let task: ((f: () => void) => void) | undefined;

export function environment(given: Partial<Environment> = {}): Environment {
	const platform: Environment = {
		fetch: (url, init) => global.fetch(url, init),
		now: () => Date.now(),
		setTimeout: (f, ms) => global.setTimeout(f, ms),
		clearTimeout: (timer) => global.clearTimeout(timer),
		task: (f) => (task = task || taskMaker())(f),
		random: () => Math.random(),
		secret: (octets) => void global.crypto.getRandomValues(octets),
		locks: allowed(() => global.navigator.locks),
		storage: allowed(() => (global.window ? global.localStorage : undefined)),
		EventSource: global.EventSource,
		WebSocket: Native,
		events: [global, global.document, allowed(() => global.navigator.connection)].filter((e) => e && e.addEventListener),
	};
	return Object.assign(platform, given);
}
