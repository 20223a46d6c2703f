/*
 * Server-sent events by the browser's own EventSource, for browsers whose fetch has no streams. It has no headers, so a ticket lets it
 * in; and it hides keepalives, so that a question now and then shows whether something is held back.
 */
import { Marks } from "./marks.js";
import { BINARY, CLOSE, TEXT, closing, text, utf8 } from "./records.js";
import { type Transport, Unfit } from "./receiver.js";
import { JSON_TYPED } from "./requests.js";
import { ask } from "./transport_poll.js";

const LOOK = 25000; /* ms between two questions */

function octets(base64: string): Uint8Array {
	return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

export const sse: Transport = async (session, receiver, signal) => {
	const { _env: env, _requests: requests } = session;
	const answer = await requests._exchange("POST", { _suffix: "/ticket", _headers: JSON_TYPED, _body: "{}", _within: 20000, _signal: signal });
	const ticket = encodeURIComponent(JSON.parse(text(answer)).ticket);
	const marks = new Marks(env.now(), session._rtt);
	session._sender._acknowledged();
	const source = new env.EventSource!(`${requests._url}?ticket=${ticket}&after=${session._after}`);
	let timer: unknown;
	await new Promise<void>((resolve, reject) => {
		const on = (name: string, f: (data: string, id: number) => void) =>
			source.addEventListener(name, (event) => {
				const { data, lastEventId } = event as MessageEvent;
				session._heard();
				f(data, Number(lastEventId));
			});
		const message = (name: string, type: number, decode: (data: string) => Uint8Array) =>
			on(name, (data, id) => session._take(id, type, decode(data)));
		const judge = () => {
			if (marks._good)
				timer = env.setTimeout(look, LOOK);
			else
				reject(marks._good === undefined ? new Unfit(true) : receiver._doubt());
		};
		const look = () => {
			const before = session._after;
			ask(session, 0, signal).then(() => (session._after === before ? judge() : reject(new Unfit(true))), reject);
		};
		message("text", TEXT, utf8);
		message("json", TEXT, (data) => utf8(JSON.parse(data)));
		message("binary", BINARY, octets);
		message("close", CLOSE, (data) => {
			const [code, reason] = JSON.parse(data);
			return closing(code === 1005 ? undefined : code, reason);
		});
		on("mark", (data) => {
			marks._mark(JSON.parse(data).n, env.now());
			env.clearTimeout(timer);
			if (marks._good)
				receiver._proven();
			timer = env.setTimeout(judge, marks._good === undefined ? marks._due - env.now() : 0);
		});
		on("end", () => resolve());
		source.onerror = () => reject(source);
		signal.addEventListener("abort", () => resolve());
		timer = env.setTimeout(judge, marks._due - env.now());
	}).finally(() => {
		env.clearTimeout(timer);
		source.close();
	});
};
