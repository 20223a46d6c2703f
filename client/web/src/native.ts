/*
 * A native WebSocket as a Line, only where the options ask for it. It has to be proven by a round trip in time, for there are proxies
 * that answer 101 and then let nothing pass. What counts is that no message goes twice, since what went out by a native WebSocket may have
 * arrived, and the session that would be begun instead is another connection to the target. So:
 *
 * - Before anything of the application's went out, a failure is not seen: `failed` begins a session instead. With a `probe`, which is
 *   a WebSocket that answers anything, on the same way, `open` is told only when it has answered; that proves both.
 * - Without a probe the first message is the question. When nothing at all comes within the time, the socket closes with 1006, as
 *   one does whose way is cut, and native WebSockets are not tried again for an hour: the application's next attempt is a session.
 *   A way on which something came in the last hour is not judged by silence, which may be the application's.
 */
import type { Environment } from "./environment.js";
import type { Line, LineEvents } from "./line.js";
import type { Memory } from "./memory.js";
import type { NativeOptions } from "./options.js";
import { text } from "./records.js";

const BAD = "native";
const GOOD = "native+";

export class NativeLine implements Line {
	readonly _transport = "native";
	private _socket?: WebSocket;
	private _probe?: WebSocket;
	private _timer: unknown;
	private _told = false;
	private _over = false;
	private _broken = false;

	constructor(
		private _env: Environment,
		private _memory: Memory,
		private _options: NativeOptions,
		private _events: LineEvents,
		private _failed: () => void,
	) {}

	_open(url: string, protocols: string[]): void {
		const { probe } = this._options;
		let needed = probe ? 2 : 1;
		const one = () => {
			if (--needed === 0)
				this._tell();
		};
		this._limit();
		try {
			const socket = (this._socket = new this._env.WebSocket!(url, protocols));
			socket.binaryType = "arraybuffer";
			socket.onopen = one;
			socket.onmessage = ({ data }) => this._message(data);
			socket.onerror = () => (this._broken = true);
			socket.onclose = (event) => this._closed(event);
			if (!probe)
				return;
			const asking = (this._probe = new this._env.WebSocket!(probe));
			asking.onopen = () => asking.send("?");
			asking.onmessage = () => {
				asking.onclose = null;
				asking.close();
				this._proven();
				one();
			};
			asking.onclose = () => this._fail();
		} catch {
			this._fail();
		}
	}

	get _buffered(): number {
		return this._socket!.bufferedAmount;
	}

	_send(data: Uint8Array | Blob, binary: boolean): void {
		this._socket!.send(binary ? (data as BufferSource) : text(data as Uint8Array));
		this._events._sent(data instanceof Blob ? data.size : data.length);
		if (!this._timer && !this._memory._has(GOOD))
			this._limit();
	}

	_close(code: number | undefined, reason: string): void {
		this._socket!.close(...((code === undefined ? [] : [code, reason]) as [number?, string?]));
	}

	_abandon(): void {
		this._over = true;
		this._env.clearTimeout(this._timer);
		for (const socket of [this._socket, this._probe])
			if (socket) {
				socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
				socket.close();
			}
	}

	private _limit(): void {
		this._timer = this._env.setTimeout(() => this._fail(), (this._options.within || 5) * 1000);
	}

	private _tell(): void {
		if (this._told || this._over)
			return;
		this._told = true;
		this._env.clearTimeout(this._timer);
		this._timer = undefined;
		this._events._opened(this._socket!.protocol, this._socket!.extensions);
	}

	/* Something came back on this way. */
	private _proven(): void {
		this._env.clearTimeout(this._timer);
		this._memory._note(GOOD);
	}

	private _message(data: string | ArrayBuffer): void {
		if (!this._memory._has(GOOD) || !this._told)
			this._proven();
		this._tell();
		this._events._message(typeof data === "string" ? data : new Uint8Array(data));
	}

	private _closed({ code, reason, wasClean }: CloseEvent): void {
		if (!this._told)
			return this._fail();
		this._abandon();
		this._events._closed(code, reason, wasClean, this._broken);
	}

	/* Not in time, or not at all. */
	private _fail(): void {
		if (this._over)
			return;
		this._abandon();
		this._memory._note(BAD);
		if (this._told)
			this._events._closed(1006, "", false, true);
		else
			this._failed();
	}
}

/** Whether one is to be tried. */
export function mayBeNative(env: Environment, memory: Memory): boolean {
	return !!env.WebSocket && !memory._has(BAD);
}
