/* Which Line a socket gets. */
import type { Environment } from "./environment.js";
import type { Line, LineEvents } from "./line.js";
import type { CulvertOptions } from "./options.js";
import { Session } from "./session.js";

export function connect(env: Environment, _url: string, protocols: string[], options: CulvertOptions, events: LineEvents): Line {
	const session = new Session(env, options, events);
	void session.open(protocols);
	return session;
}
