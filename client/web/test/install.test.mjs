// CulvertSockets in the place of WebSockets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig } from "./rig.mjs";

class Plain extends EventTarget {
	static OPEN = 1;
	constructor(url, protocols) {
		super();
		Object.assign(this, { url, protocols });
	}
}
globalThis.WebSocket = Plain;
const { CulvertSocket } = await import("../dist/culvert-web.js?install");

test("URLs of the rules, and only those", async () => {
	const rig = new Rig();
	const undo = CulvertSocket.install({ "wss://app.example/janus": rig.options, "wss://sip.example/*": rig.options });
	const native = new WebSocket("wss://other.example/", ["p"]);
	assert.equal(native.constructor, Plain);
	assert.deepEqual(native.protocols, ["p"]);
	assert.equal(WebSocket.OPEN, 1);
	for (const url of ["wss://app.example/janus", "wss://APP.example:443/janus", "wss://sip.example/ws?x=1"]) {
		const socket = new WebSocket(url, "p");
		assert.ok(socket instanceof CulvertSocket && socket instanceof WebSocket && socket instanceof Plain);
		assert.equal(Object.prototype.toString.call(socket), "[object WebSocket]");
		socket.close();
	}
	assert.ok(!(new WebSocket("wss://app.example/janus2") instanceof CulvertSocket));
	class Own extends WebSocket {}
	assert.ok(new Own("wss://other.example/") instanceof Own);
	undo();
	assert.equal(WebSocket, Plain);
	await rig.clock.run(60000);
});

test("a function may say which", async () => {
	const rig = new Rig();
	const undo = CulvertSocket.install((url) => /janus/.test(url) && rig.options);
	const socket = new WebSocket(new URL("wss://any.example/janus"));
	assert.ok(socket instanceof CulvertSocket);
	assert.ok(!(new WebSocket("wss://any.example/") instanceof CulvertSocket));
	socket.close();
	undo();
	await rig.clock.run(60000);
});

test("without a native WebSocket there is one afterwards, and none when it is undone", () => {
	globalThis.WebSocket = undefined;
	const undo = CulvertSocket.install({});
	assert.equal(WebSocket.OPEN, 1);
	undo();
	assert.equal(globalThis.WebSocket, undefined);
});
