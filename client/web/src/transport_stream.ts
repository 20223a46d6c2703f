/* Streaming fetch: one answer that goes on, as records. It serves only where what is sent arrives at once, which marks show. */
import { Marks } from "./marks.js";
import { HEAD, MARK, Records, text } from "./records.js";
import { type Transport, Unfit } from "./receiver.js";
import { ACCEPTED } from "./requests.js";

const BUSY = 200; /* ms that a timer may be late */
const SILENCE = 25000; /* ms: the server sends something every 8 s */

export const stream: Transport = async (session, receiver, signal) => {
	const { _env: env } = session;
	const stop = new AbortController();
	const began = env.now();
	const marks = new Marks(began, session._rtt);
	let number = 0;
	let timer: unknown;
	let due: number;
	const watch = () => {
		const now = env.now();
		env.clearTimeout(timer);
		due = marks._good ? now + SILENCE : marks._due;
		timer = env.setTimeout(() => stop.abort(), due - now);
	};
	const records = new Records((type, payload) => {
		if (type === HEAD) {
			number = JSON.parse(text(payload)).seq;
		} else if (type === MARK) {
			marks._mark(JSON.parse(text(payload)).n, env.now());
			if (marks._good)
				receiver._proven();
		} else if (type !== 0) {
			session._take(number++, type, payload);
		}
	});
	signal.addEventListener("abort", () => stop.abort());
	watch();
	try {
		session._sender._acknowledged();
		const answer = await session._requests._ask("GET", {
			_suffix: "?stream=1",
			_headers: { ...ACCEPTED, "Last-Event-ID": String(session._after) },
			_within: 60000,
			_signal: stop.signal,
		});
		if (!answer.body || !/octet-stream/.test(answer.headers.get("Content-Type") || ""))
			throw new Unfit();
		const reader = answer.body.getReader();
		for (;;) {
			const { done, value } = await reader.read();
			if (done)
				return;
			session._heard();
			records._feed(value);
			if (signal.aborted)
				return;
			if (marks._good === false)
				throw receiver._doubt();
			watch();
		}
	} catch (error) {
		const late = stop.signal.aborted && !signal.aborted && !marks._good;
		throw late ? (env.now() - due! > BUSY ? receiver._doubt() : new Unfit(true)) : error;
	} finally {
		env.clearTimeout(timer);
		stop.abort();
	}
};
