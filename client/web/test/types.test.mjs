// The types that are shipped: strict, without the sources, and a CulvertSocket may stand where a WebSocket is wanted.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL("..", import.meta.url));

function tsc(source) {
	const dir = mkdtempSync(`${here}dist/types-`);
	writeFileSync(`${dir}/use.ts`, `import { CulvertSocket, type CulvertOptions } from "../culvert-web.js";\n${source}`);
	const { stdout } = spawnSync(process.execPath, [
		`${here}node_modules/typescript/bin/tsc`, "--noEmit", "--strict", "--target", "es2020", "--module", "esnext", "--moduleResolution", "bundler", `${dir}/use.ts`,
	]);
	rmSync(dir, { recursive: true });
	return stdout.toString();
}

test("what is right compiles", () => {
	assert.equal(tsc(`
		const options: CulvertOptions = { base: "/culvert", service: "sig", token: async () => "t", native: { probe: "wss://x/" }, transports: ["poll"] };
		const socket: WebSocket = new CulvertSocket(new URL("wss://x/"), ["a"], options);
		const own = new CulvertSocket("wss://x/", "a", options);
		own.onmessage = ({ data, origin }) => own.send(data + origin);
		own.addEventListener("close", ({ code, wasClean }) => console.log(code.toFixed(), wasClean));
		own.onclose = function (event) { this.close(event.code, event.reason); };
		const undo: () => void = CulvertSocket.install({ "wss://x/*": options });
		CulvertSocket.install((url) => (url.includes("janus") ? options : undefined));
		const open: 1 = CulvertSocket.OPEN;
		console.log(socket, undo, open, own.transport.length);
	`), "");
});

test("what is wrong does not", () => {
	for (const source of [
		'new CulvertSocket("wss://x/", [], { service: "sig" });',
		'new CulvertSocket("wss://x/", [], { base: "/c", service: "sig", transports: ["carrier pigeon"] });',
		'declare const s: CulvertSocket; s.binaryType = "text";',
	])
		assert.match(tsc(source), /error TS/);
});
