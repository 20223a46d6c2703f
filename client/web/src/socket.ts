/*
 * CulvertSocket: a WebSocket as the WHATWG's standard has it, whose messages go another way. Here is what an application sees: the
 * constructor, states, events and their order, errors. What carries the messages is a Line.
 */
import { connect } from "./connect.js";
import { type Environment, Native, environment } from "./environment.js";
import { CloseEventHere, handlers } from "./events.js";
import { type Matcher, install } from "./install.js";
import type { Line, LineEvents } from "./line.js";
import type { CulvertOptions } from "./options.js";
import { utf8 } from "./records.js";

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;
const REASON_MAX = 123; /* octets */

/* As it stands after parsing, with ws for http; throws as the standard says. */
function parse(url: string | URL): URL {
	const base = (globalThis as any).location?.href;
	let parsed: URL;
	try {
		parsed = new URL(String(url), /^(https?|wss?):/.test(base) ? base : undefined);
	} catch {
		throw new DOMException(`The URL '${url}' is invalid.`, "SyntaxError");
	}
	if (/^https?:$/.test(parsed.protocol))
		parsed = new URL(parsed.href.replace(/^http/, "ws"));
	if (!/^wss?:$/.test(parsed.protocol))
		throw new DOMException(`The URL's scheme must be 'ws', 'wss', 'http' or 'https', not '${parsed.protocol.slice(0, -1)}'.`, "SyntaxError");
	if (parsed.href.includes("#"))
		throw new DOMException(`The URL contains a fragment identifier ('${parsed.hash.slice(1)}').`, "SyntaxError");
	return parsed;
}

function list(protocols: string | Iterable<string> | undefined): string[] {
	if (protocols === undefined)
		return [];
	const given: unknown = protocols;
	const names = typeof given === "object" && given !== null && Symbol.iterator in given ? [...(given as Iterable<string>)].map(String) : [String(given)];
	for (const name of names)
		if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) || names.indexOf(name) !== names.lastIndexOf(name))
			throw new DOMException(`The subprotocol '${name}' is invalid or there twice.`, "SyntaxError");
	return names;
}

/* WebIDL's [Clamp] unsigned short. */
function clamp(value: unknown): number {
	const n = Math.min(Math.max(Number(value) || 0, 0), 65535);
	const low = Math.floor(n);
	return n - low > 0.5 || (n - low === 0.5 && low % 2) ? low + 1 : low;
}

export interface CulvertSocketEventMap {
	open: Event;
	message: MessageEvent;
	error: Event;
	close: CloseEvent;
}

export interface CulvertSocket {
	addEventListener<K extends keyof CulvertSocketEventMap>(
		type: K,
		listener: (this: CulvertSocket, event: CulvertSocketEventMap[K]) => any,
		options?: boolean | AddEventListenerOptions,
	): void;
	addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
	removeEventListener<K extends keyof CulvertSocketEventMap>(
		type: K,
		listener: (this: CulvertSocket, event: CulvertSocketEventMap[K]) => any,
		options?: boolean | EventListenerOptions,
	): void;
	removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
	onopen: ((this: CulvertSocket, event: Event) => any) | null;
	onmessage: ((this: CulvertSocket, event: MessageEvent) => any) | null;
	onerror: ((this: CulvertSocket, event: Event) => any) | null;
	onclose: ((this: CulvertSocket, event: CloseEvent) => any) | null;
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

	private _env: Environment;
	private _line: Line;
	private _url: URL;
	private _state = CONNECTING;
	private _protocol = "";
	private _extensions = "";
	private _buffered = 0;
	private _binaryType: BinaryType = "blob";

	constructor(url: string | URL, protocols?: string | Iterable<string> | null, options?: CulvertOptions) {
		super();
		const parsed = parse(url);
		const names = list(protocols as string | undefined);
		if (!options || !options.base || !options.service)
			throw new TypeError("a CulvertSocket needs the options base and service");
		this._url = parsed;
		this._env = environment(options.environment);
		this._line = connect(this._env, parsed.href, names, options, this._events());
	}

	get url(): string {
		return this._url.href;
	}

	get readyState(): number {
		return this._state;
	}

	get bufferedAmount(): number {
		return this._buffered;
	}

	get extensions(): string {
		return this._extensions;
	}

	get protocol(): string {
		return this._protocol;
	}

	get binaryType(): BinaryType {
		return this._binaryType;
	}

	set binaryType(type: BinaryType) {
		if (type === "blob" || type === "arraybuffer")
			this._binaryType = type;
	}

	/** What carries the messages now: "native", "stream", "sse" or "poll"; "" before that is known. */
	get transport(): string {
		return this._line.transport;
	}

	send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
		if (arguments.length === 0)
			throw new TypeError("send needs an argument");
		if (this._state === CONNECTING)
			throw new DOMException("Still in CONNECTING state.", "InvalidStateError");
		let octets: Uint8Array | Blob;
		const binary = typeof data === "object" && data !== null;
		if (binary && data instanceof Blob)
			octets = data;
		else if (binary && ArrayBuffer.isView(data))
			octets = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
		else if (binary && data instanceof ArrayBuffer)
			octets = new Uint8Array(data);
		else
			octets = utf8(String(data));
		this._buffered += octets instanceof Blob ? octets.size : octets.length;
		if (this._state === OPEN)
			this._line.send(octets, octets instanceof Blob || ArrayBuffer.isView(data) || (data as unknown) instanceof ArrayBuffer);
	}

	close(code?: number, reason?: string): void {
		const number = code === undefined ? undefined : clamp(code);
		const text = reason === undefined ? "" : String(reason);
		if (number !== undefined && number !== 1000 && (number < 3000 || number > 4999))
			throw new DOMException(`The close code must be either 1000, or between 3000 and 4999. ${number} is neither.`, "InvalidAccessError");
		if (utf8(text).length > REASON_MAX)
			throw new DOMException(`The close reason must not be greater than ${REASON_MAX} UTF-8 bytes.`, "SyntaxError");
		if (this._state === CONNECTING) {
			this._state = CLOSING;
			this._line.abandon();
			this._env.task(() => this._closed(1006, "", false, "closed before it was open"));
		} else if (this._state === OPEN) {
			this._state = CLOSING;
			this._line.close(number === undefined && text ? 1000 : number, text);
		}
	}

	/* ---- what the line tells; each event is a task of its own ---- */

	private _events(): LineEvents {
		const { task } = this._env;
		return {
			opened: (protocol, extensions) =>
				task(() => {
					if (this._state !== CONNECTING)
						return;
					this._state = OPEN;
					this._protocol = protocol;
					this._extensions = extensions || "";
					this.dispatchEvent(new Event("open"));
				}),
			message: (data) => task(() => this._message(data)),
			sent: (octets) => (this._buffered -= octets),
			closed: (code, reason, clean, why) => task(() => this._closed(code, reason, clean, why)),
		};
	}

	private _message(data: string | Uint8Array): void {
		if (this._state !== OPEN)
			return;
		const shown = typeof data === "string" ? data : this._binaryType === "blob" ? new Blob([data as BlobPart]) : whole(data);
		this.dispatchEvent(new MessageEvent("message", { data: shown, origin: this._url.origin }));
	}

	private _closed(code: number, reason: string, wasClean: boolean, why: string): void {
		if (this._state === CLOSED)
			return;
		this._state = CLOSED;
		if (why)
			this.dispatchEvent(new Event("error"));
		this.dispatchEvent(new CloseEventHere("close", { code, reason, wasClean }));
	}
}

/* The buffer of an array that may be a part of it. */
function whole(data: Uint8Array): ArrayBuffer {
	return (data.length === data.buffer.byteLength ? data.buffer : data.slice().buffer) as ArrayBuffer;
}

for (const target of [CulvertSocket, CulvertSocket.prototype])
	["CONNECTING", "OPEN", "CLOSING", "CLOSED"].forEach((name, value) => Object.defineProperty(target, name, { value, enumerable: true }));
handlers(CulvertSocket.prototype, ["open", "message", "error", "close"]);
Object.defineProperty(CulvertSocket.prototype, Symbol.toStringTag, { value: "WebSocket", configurable: true });
/* So that `instanceof WebSocket` is true. */
if (Native)
	Object.setPrototypeOf(CulvertSocket.prototype, Native.prototype);
