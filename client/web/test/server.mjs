// A culvertd as REST.md has it, in memory: sessions, windows, held requests, answers that go on, expiry, restart. It is told of requests
// by network.mjs; a target takes what clients send (`got`) and says what the test wants (say).
import { encode, event, join, named, octets, read, record } from "./wire.mjs";

const problem = (status, code, more = {}) => ({
	status,
	headers: { "Content-Type": "application/problem+json", ...more },
	body: octets(JSON.stringify({ status, code, detail: `${code}: so it is` })),
});

export class Server {
	sessions = new Map();
	ended = new Set();
	token = "secret";
	requests = [];
	/** Answers for the next requests instead of the right ones. */
	scripted = [];

	constructor(clock, options = {}) {
		this.clock = clock;
		this.options = { hold: 20, expires: 330, window: 262144, messages_max: 1024, message_max: 1048576, transports: ["stream", "sse", "poll"], ...options };
	}

	/** The process ends and another one begins. */
	restart() {
		for (const session of this.sessions.values())
			this.#wake(session, true);
		this.sessions.clear();
		this.ended.clear();
	}

	/** The target's next messages. */
	say(session, ...messages) {
		for (const message of messages)
			session.out.push({ ...message, number: session.outNext++ });
		this.#wake(session);
	}

	held() {
		return [...this.sessions.values()].filter((s) => s.waiter).length;
	}

	/** Answers with {status, headers, body} or, where it goes on, {status, headers, stream(sink)}. */
	async handle(method, url, headers, body) {
		this.requests.push({ method, url: url.pathname + url.search, at: this.clock.now() });
		const scripted = this.scripted.shift();
		if (scripted)
			return scripted(problem);
		const [, sid, service, ticket] = /\/v1\/([\w-]{22})\/signal\/(\w+)(\/ticket)?$/.exec(url.pathname) || [];
		if (!sid)
			return problem(400, "malformed");
		if (url.searchParams.get("ticket") !== sid && headers.Authorization !== `Bearer ${this.token}`)
			return problem(401, "credential");
		const session = this.sessions.get(sid);
		if (session && session.expires < this.clock.now() && !session.waiter)
			this.#end(session);
		if (this.ended.has(sid))
			return method === "DELETE" ? { status: 204, headers: {}, body: octets("") } : problem(410, "gone");
		if (method === "PUT")
			return this.#put(sid, service, body);
		if (!session)
			return problem(404, "session");
		session.expires = this.clock.now() + this.options.expires * 1000;
		if (ticket)
			return { status: 200, headers: {}, body: octets(JSON.stringify({ ticket: sid, expires: 60 })) };
		if (method === "DELETE") {
			session.deleted = true;
			this.#end(session);
			return { status: 204, headers: {}, body: octets("") };
		}
		return method === "POST" ? this.#post(session, body) : this.#get(session, url, headers);
	}

	async #put(sid, service, body) {
		const { protocols } = JSON.parse(body);
		if (this.options.opens)
			await this.options.opens();
		let session = this.sessions.get(sid);
		const created = !session;
		if (created) {
			session = { sid, service, inNext: 1, early: new Map(), out: [], outNext: 1, after: 0, got: [], copies: 0, most: 0, expires: 0 };
			session.expires = this.clock.now() + this.options.expires * 1000;
			session.protocol = this.options.protocol ?? protocols[0] ?? "";
			this.sessions.set(sid, session);
			this.options.created?.(session);
		}
		const terms = { ...this.options, sid, service, protocol: session.protocol, state: "open" };
		return { status: created ? 201 : 200, headers: { "Content-Type": "application/json" }, body: octets(JSON.stringify(terms)) };
	}

	#end(session) {
		this.sessions.delete(session.sid);
		this.ended.add(session.sid);
		this.#wake(session, true);
	}

	#wake(session, gone = false) {
		const waiter = session.waiter;
		if (waiter)
			waiter(gone ? "gone" : "news");
	}

	/* The newer request waits; the older one is answered. */
	#wait(session, waiter) {
		const before = session.waiter;
		session.waiter = waiter;
		if (before)
			before("superseded");
	}

	#take(session, seq, messages) {
		let size = 0;
		for (const [i, message] of messages.entries()) {
			const number = seq + i;
			const before = session.early.get(number) || session.got[number - 1];
			if (before && JSON.stringify(before) !== JSON.stringify(message))
				return problem(409, "conflict");
			if (number < session.inNext || session.early.has(number))
				session.copies++;
			else
				size += (message.data.length || 0) + 64;
		}
		const waits = [...session.early.values()].reduce((n, m) => n + m.data.length + 64, 0);
		if (waits && waits + size > this.options.window)
			return problem(429, "window", { "Retry-After": "1" });
		for (const [i, message] of messages.entries())
			if (seq + i >= session.inNext)
				session.early.set(seq + i, message);
		for (; session.early.has(session.inNext); session.inNext++) {
			const message = session.early.get(session.inNext);
			session.early.delete(session.inNext);
			session.got.push(message);
			if (message.type === "close" && !this.options.silent)
				this.say(session, message);
		}
		return undefined;
	}

	#acknowledge(session, after) {
		if (after >= session.outNext)
			return problem(409, "conflict");
		session.after = Math.max(session.after, after || 0);
		session.most = Math.max(session.most, session.out.length);
		while (session.out.length && session.out[0].number <= session.after)
			session.out.shift();
		return undefined;
	}

	#answer(session, quiet) {
		const messages = quiet ? [] : session.out.slice(0, 500);
		const seq = messages.length ? messages[0].number : quiet ? session.after + 1 : session.outNext;
		const head = { taken: session.inNext - 1, seq, state: "open" };
		if (messages.some((m) => m.type === "close"))
			head.state = "closed";
		return {
			status: 200,
			headers: { "Content-Type": "application/octet-stream" },
			body: join([record(16, JSON.stringify(head)), ...messages.map(encode)]),
		};
	}

	async #post(session, body) {
		const { head, messages } = read(body);
		const wrong = (messages.length && this.#take(session, head.seq, messages)) || this.#acknowledge(session, head.after);
		if (wrong)
			return wrong;
		if (!session.out.length && head.wait > 0 && !head.quiet && (await this.#held(session, head.wait)) === "gone")
			return problem(this.ended.has(session.sid) ? 410 : 404, "gone");
		return this.#answer(session, head.quiet);
	}

	#held(session, seconds) {
		return new Promise((resolve) => {
			const timer = this.clock.setTimeout(() => done("time"), Math.min(seconds, this.options.hold) * 1000);
			const done = (why) => {
				this.clock.clearTimeout(timer);
				if (session.waiter === done)
					session.waiter = undefined;
				session.expires = this.clock.now() + this.options.expires * 1000;
				resolve(why);
			};
			this.#wait(session, done);
		});
	}

	#get(session, url, headers) {
		const events = /event-stream/.test(headers.Accept);
		const after = Number(headers["Last-Event-ID"] ?? url.searchParams.get("after") ?? 0);
		const wrong = this.#acknowledge(session, after);
		if (wrong)
			return wrong;
		const type = events ? "text/event-stream" : "application/octet-stream";
		return { status: 200, headers: { "Content-Type": type }, stream: (sink) => this.#stream(session, events, sink) };
	}

	#stream(session, events, sink) {
		let at = session.after;
		const mark = (n, ms) => sink.write(events ? named("mark", { n, ms }) : record(17, JSON.stringify({ n, ms })));
		const timers = [this.clock.setTimeout(() => mark(2, 200), 200)];
		const beat = () => {
			sink.write(events ? octets(":\n\n") : record(0, ""));
			timers[1] = this.clock.setTimeout(beat, 8000);
		};
		const end = () => {
			timers.forEach(this.clock.clearTimeout);
			if (session.waiter === news)
				session.waiter = undefined;
			session.expires = this.clock.now() + this.options.expires * 1000;
		};
		const news = (why) => {
			if (why !== "news") {
				end();
				sink.end();
				return;
			}
			for (const message of session.out)
				if (message.number > at) {
					at = message.number;
					sink.write(events ? event(message, message.number) : encode(message));
				}
		};
		sink.onbroken = end;
		sink.write(events ? octets(`:${" ".repeat(2048)}\n\n`) : join([record(16, JSON.stringify({ taken: 0, seq: at + 1, state: "open" })), record(0, " ".repeat(2048))]));
		mark(1, 0);
		timers[1] = this.clock.setTimeout(beat, 8000);
		this.#wait(session, news);
		news("news");
	}
}
