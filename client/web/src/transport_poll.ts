/*
 * Long poll: a POST that is answered when there is a message, at the latest after `wait`. It has one constant URL, so that the one CORS
 * preflight serves all. Where the way does not hold an answer as long as the server would, the wait becomes shorter.
 */
import { head } from "./records.js";
import { TYPED } from "./requests.js";
import type { Transport } from "./receiver.js";
import type { Session } from "./session.js";

const GRACE = 15000; /* ms for the answer, beside the wait */
const SHORTEST = 2000; /* ms */

export async function ask(session: Session, ms: number, signal: AbortSignal): Promise<void> {
	const body = head({ after: session._after, wait: ms / 1000 });
	session._sender._acknowledged();
	session._answer(await session._requests._exchange("POST", { _headers: TYPED, _body: body, _within: ms + GRACE, _signal: signal }));
}

export const poll: Transport = async (session, receiver, signal) => {
	const began = session._env.now();
	try {
		await ask(session, receiver._hold, signal);
		receiver._hold = Math.min(receiver._hold * 1.5, session._terms.hold * 1000);
		receiver._proven();
	} catch (error) {
		const lasted = session._env.now() - began;
		if (lasted > SHORTEST && !signal.aborted)
			receiver._hold = Math.max(SHORTEST, Math.min(lasted, receiver._hold) * 0.6);
		throw error;
	}
};
