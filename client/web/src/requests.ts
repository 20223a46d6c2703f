/*
 * Requests of one session, with its credential and a deadline each. What an answer means is said here once, as a Refusal: whether the
 * server meant it, so that trying again is useless, or the way did, and when to try again.
 */
import type { Environment } from "./environment.js";
import type { CulvertOptions } from "./options.js";

const PAUSE_MAX = 60000; /* ms, whatever a server asks for */
const OCTETS = "application/octet-stream";
export const TYPED = { "Content-Type": OCTETS };
export const ACCEPTED = { Accept: OCTETS };
export const JSON_TYPED = { "Content-Type": "application/json" };

/** What an answer that is none says. */
export interface Refusal {
	/** Nothing will change it. */
	_fatal?: boolean;
	/** Milliseconds that the server asks to wait. */
	_pause?: number;
	/** It has the session. */
	_alive?: boolean;
}

export interface Asking {
	_suffix?: string;
	_headers?: Record<string, string>;
	_body?: Uint8Array | string;
	/** Milliseconds until the answer must be there. */
	_within: number;
	_signal?: AbortSignal;
	_keepalive?: boolean;
}

/*
 * 404 and 410 always end the session. Of the other errors only those are the server's word that come as a problem of its own and are no
 * plea for time: a proxy's pages and what a gateway says in between are of the way.
 */
function refusal({ status, headers }: Response): Refusal {
	const problem = /problem\+json/.test(headers.get("Content-Type") || "");
	return {
		_fatal: status === 404 || status === 410 || (problem && ![408, 429, 503].includes(status)),
		_pause: Math.min(Number(headers.get("Retry-After")) * 1000 || 0, PAUSE_MAX),
		_alive: problem && status === 429,
	};
}

export class Requests {
	private _token?: Promise<string>;

	constructor(
		readonly _env: Environment,
		private _options: CulvertOptions,
		readonly _url: string,
	) {}

	/** The answer's head, in time; its body is the caller's. `signal` cuts both. */
	_ask(method: string, asking: Asking): Promise<Response> {
		return this._cut(asking, true, (signal) => this._authorised(method, asking, signal));
	}

	/** The whole answer, in time. */
	_exchange(method: string, asking: Asking): Promise<Uint8Array> {
		return this._cut(asking, false, async (signal) => {
			const answer = await this._authorised(method, asking, signal);
			return new Uint8Array(await answer.arrayBuffer());
		});
	}

	private async _cut<T>({ _within: within, _signal: signal }: Asking, goes_on: boolean, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
		const stop = new AbortController();
		const cut = () => stop.abort();
		const timer = this._env.setTimeout(cut, within);
		if (signal)
			signal.aborted ? cut() : signal.addEventListener("abort", cut);
		try {
			return await work(stop.signal);
		} finally {
			this._env.clearTimeout(timer);
			if (signal && !goes_on)
				signal.removeEventListener("abort", cut);
		}
	}

	/* A credential that is refused is asked for again once: it may have run out. */
	private async _authorised(method: string, asking: Asking, signal: AbortSignal): Promise<Response> {
		const used = this._credential();
		let answer = await this._fetch(method, asking, signal, await used);
		if (answer.status === 401) {
			if (this._token === used)
				this._token = undefined;
			answer = await this._fetch(method, asking, signal, await this._credential());
			if (answer.status === 401)
				throw { _fatal: true };
		}
		if (!answer.ok)
			throw refusal(answer);
		return answer;
	}

	/* One question at a time, and none while the answer is good. */
	private _credential(): Promise<string> {
		if (!this._token) {
			const { token } = this._options;
			const asked: Promise<string> = Promise.resolve(typeof token === "function" ? token() : token || "");
			this._token = asked;
			asked.catch(() => {
				if (this._token === asked)
					this._token = undefined;
			});
		}
		return this._token;
	}

	private _fetch(method: string, asking: Asking, signal: AbortSignal, token: string): Promise<Response> {
		const headers = { ...asking._headers };
		if (token)
			headers.Authorization = `Bearer ${token}`;
		/* No cache mode: with any but the default one Chromium asks for leave (CORS) before each request. The answers say no-store. */
		return this._env.fetch(this._url + (asking._suffix || ""), {
			method,
			headers,
			body: asking._body as BodyInit | undefined,
			signal,
			credentials: "omit",
			redirect: "error",
			keepalive: asking._keepalive,
		});
	}
}
