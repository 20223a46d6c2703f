/* What a CulvertSocket is connected by: a session at a culvertd, or a native WebSocket. */
export interface Line {
	/** "native", "stream", "sse", "poll"; "" before it is known. */
	readonly _transport: string;
	/** Octets that were told as sent and are not gone. */
	readonly _buffered: number;
	/** Text as UTF-8, or binary. */
	_send(data: Uint8Array | Blob, binary: boolean): void;
	_close(code: number | undefined, reason: string): void;
	/** Ends it without a word to the socket. */
	_abandon(): void;
}

/** What it tells the socket; closed() is the last. */
export interface LineEvents {
	_opened(protocol: string, extensions?: string): void;
	_message(data: string | Uint8Array): void;
	/** So many octets of what was sent are there. */
	_sent(octets: number): void;
	/** failed: there is an error to tell of. */
	_closed(code: number, reason: string, clean: boolean, failed: boolean): void;
}
