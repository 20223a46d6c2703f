/*
 * Records (REST.md 3): an octet of type, three of length, the payload. What requests and answers of the library consist of.
 */
export const TEXT = 1;
export const BINARY = 2;
export const PIECE = 3;
export const CLOSE = 8;
export const HEAD = 16;
export const MARK = 17;

const HEADER = 4;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export const utf8 = (text: string): Uint8Array => encoder.encode(text);
export const text = (octets: Uint8Array): string => decoder.decode(octets);

export function join(parts: Uint8Array[]): Uint8Array {
	const whole = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}

export function record(type: number, payload: Uint8Array): Uint8Array {
	const n = payload.length;
	return join([new Uint8Array([type, n >> 16, n >> 8, n]), payload]);
}

export const head = (fields: object): Uint8Array => record(HEAD, utf8(JSON.stringify(fields)));

/** The payload of a close: without a code there is none. */
export function closing(code: number | undefined, reason: string): Uint8Array {
	return code === undefined ? new Uint8Array(0) : join([new Uint8Array([code >> 8, code]), utf8(reason)]);
}

/** Takes octets as they come and tells each record that is whole, with the pieces of a message joined. */
export class Records {
	private _left: Uint8Array = new Uint8Array(0);
	private _pieces: Uint8Array[] = [];

	constructor(private _each: (type: number, payload: Uint8Array) => void) {}

	_feed(octets: Uint8Array): void {
		const all = this._left.length ? join([this._left, octets]) : octets;
		let at = 0;
		while (all.length - at >= HEADER) {
			const n = (all[at + 1] << 16) | (all[at + 2] << 8) | all[at + 3];
			const end = at + HEADER + n;
			if (end > all.length)
				break;
			this._one(all[at], all.slice(at + HEADER, end));
			at = end;
		}
		this._left = all.slice(at);
	}

	private _one(type: number, payload: Uint8Array): void {
		if (type === PIECE) {
			this._pieces.push(payload);
			return;
		}
		if (this._pieces.length && (type === TEXT || type === BINARY)) {
			payload = join([...this._pieces, payload]);
			this._pieces = [];
		}
		this._each(type, payload);
	}
}
