/* The options of a CulvertSocket, and what they are when they are left out. */
import type { Environment } from "./environment.js";

export type TransportName = "native" | "stream" | "sse" | "poll";

export interface NativeOptions {
	/** Where the native WebSocket goes; the socket's own URL when it is left out. */
	url?: string;
	/** A WebSocket that answers whatever is sent to it, on the way that is to be proven. With it nothing of the application's is risked. */
	probe?: string;
	/** Seconds for the native WebSocket to open, and for the probe or the first message to be answered (5). */
	within?: number;
}

export interface CulvertOptions {
	/** The culvertd: "https://gw.example/culvert", or a path on the page's own host. */
	base: string;
	/** The service there, as in its configuration. */
	service: string;
	/** The credential for `Authorization: Bearer`, or what gives it; asked again when it is refused. */
	token?: string | (() => string | Promise<string>);
	/** Whether a native WebSocket is tried first (no). */
	native?: boolean | string | NativeOptions;
	/** What may be used, best first; "poll" is the last resort even when it is not named. */
	transports?: TransportName[];
	/** Seconds to open (20). */
	timeout?: number;
	/** For tests: what replaces the platform's. */
	environment?: Partial<Environment>;
}
