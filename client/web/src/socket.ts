/*
 * CulvertSocket: a WebSocket as the WHATWG's standard has it, whose messages go another way. Here is what an application sees: the
 * constructor, states, events and their order, errors. What carries the messages is a Line.
 */
import { connect } from "./connect.js";
import { type Environment, Native, environment, here } from "./environment.js";
import { CloseEventHere, type Handlers, handlers } from "./events.js";
import { type Matcher, install } from "./install.js";
import type { Line, LineEvents } from "./line.js";
import type { CulvertOptions } from "./options.js";
import { utf8 } from "./records.js";

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;
const REASON_MAX = 123; /* octets */

function wrong(what: string, name = "SyntaxError"): never {
	throw new DOMException(`CulvertSocket: ${what}`, name);
}

/* As it stands after parsing, with ws for http; throws as the standard says. */
function parse(url: string): URL {
	const base = here.location?.href;
	let parsed: URL;
	try {
		parsed = new URL(url, /^(https?|wss?):/.test(base) ? base : undefined);
		parsed = new URL(parsed.href.replace(/^http/, "ws"));
	} catch {
		wrong(url);
	}
	if (!/^wss?:$/.test(parsed.protocol) || parsed.href.includes("#"))
		wrong(url);
	return parsed;
}

/* As WebIDL does it; not as String does, which takes symbols. */
function string(value: unknown): string {
	return `${value as any}`;
}

function list(given: unknown): string[] {
	return typeof given === "object" && given !== null && Symbol.iterator in given ? Array.from(given as Iterable<unknown>, string) : [string(given)];
}

function check(names: string[]): void {
	for (const name of names)
		if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) || names.indexOf(name) !== names.lastIndexOf(name))
			wrong(name);
}

/* WebIDL's [Clamp] unsigned short. */
function clamp(value: unknown): number {
	const n = Math.min(Math.max(Number(value) || 0, 0), 65535);
	const low = Math.floor(n);
	return n - low > 0.5 || (n - low === 0.5 && low % 2) ? low + 1 : low;
}

/* Handlers and listeners are as a WebSocket has them. */
export interface CulvertSocket extends Pick<WebSocket, "onopen" | "onmessage" | "onerror" | "onclose"> {
	addEventListener: WebSocket["addEventListener"];
	removeEventListener: WebSocket["removeEventListener"];
}

interface Own {
	_env: Environment;
	_line: () => Line;
	_url: URL;
	_state: number;
	_protocol: string;
	_extensions: string;
	_buffered: number;
	_binaryType: BinaryType;
	_handlers: Handlers;
}

export class CulvertSocket extends EventTarget {
	declare static readonly CONNECTING: 0;
	declare static readonly OPEN: 1;
	declare static readonly CLOSING: 2;
	declare static readonly CLOSED: 3;
	declare readonly CONNECTING: 0;
	declare readonly OPEN: 1;
	declare readonly CLOSING: 2;
	declare readonly CLOSED: 3;

	/** Makes WebSockets to certain URLs CulvertSockets; the answer undoes it. */
	static install(rules: Record<string, CulvertOptions> | Matcher): () => void {
		return install(CulvertSocket, rules);
	}

	/* All in one place, which is not seen, and without which nothing works on what is no socket. */
	private declare _own: Own;

	constructor(url: string | URL, protocols: string | Iterable<string> | null = [], options?: CulvertOptions) {
		super();
		const address = string(url);
		const names = list(protocols);
		const parsed = parse(address);
		check(names);
		if (!options || !options.base || !options.service)
			throw new TypeError("options: base and service");
		const own = { _url: parsed, _state: CONNECTING, _protocol: "", _extensions: "", _buffered: 0, _binaryType: "blob", _handlers: {} } as Own;
		Object.defineProperty(this, /* @__KEY__ */ "_own", { value: own });
		own._env = environment(options.environment);
		own._line = connect(own._env, parsed.href, names, options, this._events());
	}

	get url(): string {
		return this._own._url.href;
	}

	get readyState(): number {
		return this._own._state;
	}

	get bufferedAmount(): number {
		return this._own._buffered + this._own._line()._buffered;
	}

	get extensions(): string {
		return this._own._extensions;
	}

	get protocol(): string {
		return this._own._protocol;
	}

	get binaryType(): BinaryType {
		return this._own._binaryType;
	}

	set binaryType(type: BinaryType) {
		const name = string(type) as BinaryType;
		if (name === "blob" || name === "arraybuffer")
			this._own._binaryType = name;
	}

	/** What carries the messages now: "native", "stream", "sse" or "poll"; "" before that is known. */
	get transport(): string {
		return this._own._line()._transport;
	}

	send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
		const own = this._own;
		if (!arguments.length)
			throw new TypeError("nothing to send");
		let octets: Uint8Array | Blob;
		let binary = true;
		const given: unknown = data;
		if (given instanceof Blob) {
			octets = given;
		} else if (given instanceof ArrayBuffer || ArrayBuffer.isView(given)) {
			const { buffer, byteOffset } = ArrayBuffer.isView(given) ? given : { buffer: given, byteOffset: 0 };
			/* One whose octets were given away has none. */
			octets = given.byteLength ? new Uint8Array(buffer, byteOffset, given.byteLength) : new Uint8Array();
		} else {
			octets = utf8(string(given));
			binary = false;
		}
		if (own._state === CONNECTING)
			wrong("not open yet", "InvalidStateError");
		own._buffered += octets instanceof Blob ? octets.size : octets.length;
		if (own._state === OPEN)
			own._line()._send(octets, binary);
	}

	close(code: number | undefined = undefined, reason: string | undefined = undefined): void {
		const own = this._own;
		const state = own._state;
		const number = code === undefined ? code : clamp(code);
		const text = reason === undefined ? "" : string(reason);
		if (number !== undefined && number !== 1000 && (number < 3000 || number > 4999))
			wrong("code", "InvalidAccessError");
		if (utf8(text).length > REASON_MAX)
			wrong("reason");
		if (state > OPEN)
			return;
		own._state = CLOSING;
		if (state === CONNECTING) {
			own._line()._abandon();
			own._env.task(() => this._closed(1006, "", false, true));
		} else {
			own._line()._close(number === undefined && text ? 1000 : number, text);
		}
	}

	/* ---- what the line tells; each event is a task of its own ---- */

	private _events(): LineEvents {
		const { task } = this._own._env;
		return {
			_opened: (protocol, extensions) =>
				task(() => {
					if (this._own._state !== CONNECTING)
						return;
					this._own._state = OPEN;
					this._own._protocol = protocol;
					this._own._extensions = extensions || "";
					this.dispatchEvent(new Event("open"));
				}),
			_message: (data) => task(() => this._message(data)),
			_sent: (octets) => (this._own._buffered -= octets),
			_closed: (code, reason, clean, failed) => task(() => this._closed(code, reason, clean, failed)),
		};
	}

	private _message(data: string | Uint8Array): void {
		if (this._own._state !== OPEN)
			return;
		const shown = typeof data === "string" ? data : this._own._binaryType === "blob" ? new Blob([data as BlobPart]) : whole(data);
		this.dispatchEvent(new MessageEvent("message", { data: shown, origin: this._own._url.origin }));
	}

	private _closed(code: number, reason: string, wasClean: boolean, failed: boolean): void {
		if (this._own._state === CLOSED)
			return;
		this._own._state = CLOSED;
		const close = () => void this.dispatchEvent(new CloseEventHere("close", { code, reason, wasClean }));
		if (!failed)
			return close();
		this._own._env.task(close);
		this.dispatchEvent(new Event("error"));
	}
}

/* The buffer of an array that may be a part of it. */
function whole(data: Uint8Array): ArrayBuffer {
	return (data.length === data.buffer.byteLength ? data.buffer : data.slice().buffer) as ArrayBuffer;
}

for (const target of [CulvertSocket, CulvertSocket.prototype])
	["CONNECTING", "OPEN", "CLOSING", "CLOSED"].forEach((name, value) => Object.defineProperty(target, name, { value, enumerable: true }));
for (const name of ["url", "readyState", "bufferedAmount", "extensions", "protocol", "binaryType", "send", "close"])
	Object.defineProperty(CulvertSocket.prototype, name, { enumerable: true });
handlers(CulvertSocket.prototype, ["open", "message", "error", "close"], (socket) => socket._own._handlers);
Object.defineProperty(CulvertSocket.prototype, Symbol.toStringTag, { value: "WebSocket", configurable: true });
/* So that `instanceof WebSocket` is true. */
if (Native)
	Object.setPrototypeOf(CulvertSocket.prototype, Native.prototype);
