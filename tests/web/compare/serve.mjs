/*
 * The far end of all that is compared: engine.io by polling and SockJS (TLS, both), a WebSocket behind culvertd, and a place that
 * answers a POST at once. What is said over any of them:
 *
 *     u TIME ...          one way up: how late it is is kept
 *     e TIME ...          is answered by "E TIME NOW ..." of the same length
 *     c I N ...           the Ith of N; after the last one "C IN-ORDER"
 *     tick MEAN SIZE N    N times "d NOW ...", at random intervals of MEAN ms
 *     flood N SIZE        N times "f I ...", as fast as it takes them
 *     report              "R [ms, ...]": how late what came up was, since the last time
 *
 *     node serve.mjs CERT KEY     prints "ready tcp ADDR:PORT NAME" for engineio, sockjs, websocket and exchange
 */
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";
import { Server as EngineIo } from "engine.io";
import { WebSocketServer } from "ws";

const require = createRequire(import.meta.url);
const tls = { cert: readFileSync(process.argv[2]), key: readFileSync(process.argv[3]) };

const now = () => performance.timeOrigin + performance.now();

// Text in which nothing comes again within what a compressor sees.
const letters = Array.from({ length: 1 << 20 }, () => Math.random().toString(36)[2] ?? "0").join("");
let letter = 0;
function padded(text, size) {
	letter = letter + size < letters.length ? letter + size : size;
	return (text + " ").padEnd(size, letters.slice(letter - size, letter));
}

/* What is said over one connection. */
class Talk {
	constructor(send) {
		this.send = send;
		this.late = [];
		this.next = 0;
		this.ended = false;
	}

	take(text) {
		const at = now();
		const words = text.split(" ", 4);

		switch (words[0]) {
		case "u":
			this.late.push(at - Number(words[1]));
			break;
		case "e":
			this.send(padded(`E ${words[1]} ${at}`, text.length));
			break;
		case "c":
			this.counted(Number(words[1]), Number(words[2]));
			break;
		case "tick":
			this.tick(Number(words[1]), Number(words[2]), Number(words[3]));
			break;
		case "flood":
			for (let i = 0; i < Number(words[1]); i++)
				this.send(padded(`f ${i} ${words[1]}`, Number(words[2])));
			break;
		case "report":
			this.send("R " + JSON.stringify(this.late));
			this.late = [];
			break;
		}
	}

	counted(i, n) {
		if (i === 0)
			this.next = this.wrong = 0;
		if (i !== this.next)
			this.wrong++;
		this.next = i + 1;
		if (this.next === n)
			this.send("C " + (this.wrong === 0));
	}

	tick(mean, size, left) {
		if (!left || this.ended)
			return;
		setTimeout(() => {
			if (!this.ended)
				this.send(padded(`d ${now()}`, size));
			this.tick(mean, size, left - 1);
		}, -mean * Math.log(1 - Math.random()));
	}

	end() {
		this.ended = true;
	}
}

async function listen(server, name) {
	await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
	server.on("connection", (socket) => socket.setNoDelay(true));
	server.keepAliveTimeout = 60000;
	console.log(`ready tcp 127.0.0.1:${server.address().port} ${name}`);
}

const engineServer = https.createServer(tls);
const engine = new EngineIo({ transports: ["polling"], cors: { origin: "*" } });
engine.attach(engineServer, { path: "/engine.io" });
engine.on("connection", (socket) => {
	const talk = new Talk((text) => socket.send(text));
	socket.on("message", (data) => talk.take(data));
	socket.on("close", () => talk.end());
});

const sockServer = https.createServer(tls);
const sock = require("sockjs").createServer({ log: () => {} });
sock.on("connection", (socket) => {
	const talk = new Talk((text) => socket.write(text));
	socket.on("data", (data) => talk.take(data));
	socket.on("close", () => talk.end());
});
sock.installHandlers(sockServer, { prefix: "/sockjs" });

const webServer = http.createServer();
new WebSocketServer({ server: webServer, perMessageDeflate: false }).on("connection", (socket) => {
	const talk = new Talk((text) => socket.send(text));
	socket.on("message", (data) => talk.take(data.toString()));
	socket.on("close", () => talk.end());
});

const exchangeServer = https.createServer(tls, (request, response) => {
	request.resume().on("end", () => response.writeHead(200, { "Access-Control-Allow-Origin": "*" }).end("ok"));
});

await listen(engineServer, "engineio");
await listen(sockServer, "sockjs");
await listen(webServer, "websocket");
await listen(exchangeServer, "exchange");
