/* Which Line a socket gets: a native WebSocket where it is wanted and may work, else a session; the second may follow the first. */
import { type Environment, here } from "./environment.js";
import type { Line, LineEvents } from "./line.js";
import { Memory } from "./memory.js";
import { NativeLine, mayBeNative } from "./native.js";
import type { CulvertOptions, NativeOptions } from "./options.js";
import { Session } from "./session.js";

export function connect(env: Environment, url: string, protocols: string[], options: CulvertOptions, events: LineEvents): () => Line {
	const base = new URL(options.base, here.location?.href).href.replace(/\/$/, "");
	const memory = new Memory(env, base);
	const { native, transports } = options;
	let line: Line;
	const session = () => {
		const begun = (line = new Session(env, memory, base, options, events));
		void begun._open(protocols);
	};
	if (native && (!transports || transports.includes("native")) && mayBeNative(env, memory)) {
		const how: NativeOptions = typeof native === "string" ? { url: native } : native === true ? {} : native;
		const begun = (line = new NativeLine(env, memory, how, events, session));
		begun._open(how.url || url, protocols);
	} else {
		session();
	}
	return () => line;
}
