/* What a CulvertSocket is connected by: a session at a culvertd, or a native WebSocket. */
export interface Line {
	/** "native", "stream", "sse", "poll"; "" before it is known. */
	readonly transport: string;
	/** Text as UTF-8, or binary. */
	send(data: Uint8Array | Blob, binary: boolean): void;
	close(code: number | undefined, reason: string): void;
	/** Ends it without a word to the socket. */
	abandon(): void;
}

/** What it tells the socket; closed() is the last. */
export interface LineEvents {
	opened(protocol: string, extensions?: string): void;
	message(data: string | Uint8Array): void;
	/** So many octets of what was sent are there. */
	sent(octets: number): void;
	/** `why` is for people, "" where the other end closed. */
	closed(code: number, reason: string, clean: boolean, why: string): void;
}
