/*
 * Puts CulvertSockets in the place of WebSockets to certain URLs, for applications that make theirs themselves. All others, and all that
 * is read from WebSocket, stay as they are.
 */
import { here } from "./environment.js";
import type { CulvertOptions } from "./options.js";

/** The options for a URL; nothing: a native WebSocket. */
export type Matcher = (url: string) => CulvertOptions | null | undefined | false;

/* A rule that ends in "*" is for all URLs that begin so; a URL is compared as the platform writes it. */
function matcher(rules: Record<string, CulvertOptions>): Matcher {
	const written = (url: string) => {
		try {
			return new URL(url, here.location?.href).href.replace(/^http/, "ws");
		} catch {
			return url;
		}
	};
	const exact = new Map<string, CulvertOptions>();
	const prefixes: [string, CulvertOptions][] = [];
	for (const [rule, options] of Object.entries(rules))
		rule.endsWith("*") ? prefixes.push([rule.slice(0, -1), options]) : exact.set(written(rule), options);
	return (url) => {
		const it = written(url);
		return exact.get(it) || prefixes.find(([prefix]) => it.startsWith(prefix))?.[1];
	};
}

export function install(
	Socket: new (url: string, protocols: any, options: CulvertOptions) => object,
	rules: Record<string, CulvertOptions> | Matcher,
): () => void {
	const before = here.WebSocket;
	const match = typeof rules === "function" ? rules : matcher(rules);
	const construct = (target: any, args: any[], made: any): object => {
		/* It is read once, as the platform does it. */
		if (args.length)
			args[0] = `${args[0]}`;
		const options = args.length && match(args[0]);
		if (options)
			return new Socket(args[0], args[1], options);
		return Reflect.construct(target, args, made === replaced ? target : made);
	};
	const replaced: any = new Proxy(before || Socket, { construct });
	here.WebSocket = replaced;
	return () => {
		if (here.WebSocket === replaced)
			here.WebSocket = before;
	};
}
