/*
 * What worked lately and what did not, for each culvertd: kept in localStorage where there is one, so that the next page does not find out again.
 * It is a hint only, and is believed for an hour: a machine comes into other networks.
 */
import type { Environment } from "./environment.js";

const BELIEVED = 3600000; /* ms */
const here = new Map<string, string>();

export class Memory {
	private _key: string;

	constructor(
		private _env: Environment,
		base: string,
	) {
		this._key = `culvert ${base}`;
	}

	_has(name: string): boolean {
		const until = this._read()[name];
		return until > this._env.now() && until <= this._env.now() + BELIEVED;
	}

	/** Without a name all is forgotten: the network is another one. */
	_note(name?: string): void {
		const facts = name ? { ...this._read(), [name]: this._env.now() + BELIEVED } : {};
		const value = JSON.stringify(facts);
		here.set(this._key, value);
		try {
			this._env.storage?.setItem(this._key, value);
		} catch {
			/* full, or forbidden */
		}
	}

	private _read(): Record<string, number> {
		try {
			const { storage } = this._env;
			return JSON.parse((storage ? storage.getItem(this._key) : here.get(this._key)) || "{}");
		} catch {
			return {};
		}
	}
}
