/*
 * What is compared, behind one face: connect(name, where) gives { send(text), close(), transport(), onmessage }. `where` has the
 * addresses; where.options what CulvertSocket gets.
 */
"use strict";

/* Resolves to `it` when it is open, unless it ends before. */
function opened(it, name, listen) {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(() => reject(new Error(`${name} did not open in time`)), 30000);

		listen(() => {
			clearTimeout(timer);
			resolve(it);
		}, (why) => {
			clearTimeout(timer);
			reject(new Error(`${name} ended: ${why}`));
			it.onend(new Error(`${name} ended: ${why}`));
		});
	});
}

function engineIo(where) {
	const socket = eio(where.engineio, { path: "/engine.io", transports: ["polling"], upgrade: false });
	const it = { send: (text) => socket.send(text), close: () => socket.close(), transport: () => socket.transport.name, onend() {} };

	socket.on("message", (data) => it.onmessage(data));
	return opened(it, "engine.io", (yes, no) => {
		socket.on("open", yes);
		socket.on("close", (why) => no(why));
		socket.on("error", (e) => no(e.message ?? e));
	});
}

function sockJs(where, transport) {
	const socket = new SockJS(where.sockjs + "/sockjs", null, { transports: [transport], timeout: 20000 });
	const it = { send: (text) => socket.send(text), close: () => socket.close(), transport: () => socket.transport, onend() {} };

	socket.onmessage = (event) => it.onmessage(event.data);
	return opened(it, "SockJS " + transport, (yes, no) => {
		socket.onopen = yes;
		socket.onclose = (event) => no(event.reason);
	});
}

function culvert(where, transport, service = "sig") {
	const options = { base: where.culvert + "/culvert", service, token: where.token };

	if (transport !== "auto")
		options.transports = [transport];
	const protocols = service === "janus" ? ["janus-protocol"] : [];
	const socket = new CulvertWeb.CulvertSocket("wss://sig.example/", protocols, options);
	const it = { send: (text) => socket.send(text), close: () => socket.close(), transport: () => socket.transport, onend() {} };

	socket.onmessage = (event) => it.onmessage(event.data);
	return opened(it, "CulvertSocket " + transport, (yes, no) => {
		socket.onopen = yes;
		socket.onclose = (event) => no(`${event.code} ${event.reason}`);
	});
}

const SYSTEMS = {
	"engine.io": engineIo,
	"sockjs-polling": (where) => sockJs(where, "xhr-polling"),
	"sockjs-streaming": (where) => sockJs(where, "xhr-streaming"),
	"culvert-poll": (where) => culvert(where, "poll"),
	"culvert-sse": (where) => culvert(where, "sse"),
	"culvert-stream": (where) => culvert(where, "stream"),
	"culvert": (where) => culvert(where, "auto"),
};
