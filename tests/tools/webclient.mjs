// The browser library in node, against a culvertd: webclient.mjs BASE SERVICE BEARER TRANSPORT COUNT
// Sends COUNT messages of all kinds to an echo, and says what came back; NODE_EXTRA_CA_CERTS: whom to trust.
import { CulvertSocket } from "../../client/web/dist/culvert-web.js";
import { eventSource } from "../../client/web/test/eventsource.mjs";

const [base, service, token, transport, count] = process.argv.slice(2);
const n = Number(count);

function check(what, ok, detail) {
	if (ok)
		return;
	console.error(`FAIL ${transport}: ${what}:`, detail);
	process.exit(1);
}

const socket = new CulvertSocket("wss://app.example/janus", ["janus-protocol"], {
	base,
	service,
	token,
	transports: [transport],
	environment: { EventSource: eventSource(fetch) },
});
socket.binaryType = "arraybuffer";
const order = [];
let got = 0;
let began;
socket.addEventListener("error", () => order.push("error"));
socket.addEventListener("open", () => {
	order.push("open");
	check("protocol", socket.protocol === "janus-protocol", socket.protocol);
	setTimeout(begin, 500); // a stream has been proven by then
});
function begin() {
	began = Date.now();
	for (let i = 1; i <= n; i++)
		socket.send(i % 3 ? `number ${i} \u00e9\ud83d\ude00\r\n\0` : new Uint8Array([i >> 16, i >> 8, i]));
}
socket.addEventListener("message", ({ data }) => {
	got++;
	const number = typeof data === "string" ? Number(data.split(" ")[1]) : new Uint8Array(data).reduce((a, b) => a * 256 + b, 0);
	check("order", number === got, `${number}, not ${got}`);
	check("text", typeof data !== "string" || data === `number ${got} \u00e9\ud83d\ude00\r\n\0`, data);
	if (got < n)
		return;
	check("transport", socket.transport === transport, socket.transport);
	check("bufferedAmount", socket.bufferedAmount === 0, socket.bufferedAmount);
	order.push(`${Date.now() - began} ms`);
	socket.send("close 4001 so");
});
socket.addEventListener("close", ({ code, reason, wasClean }) => {
	check("close", code === 4001 && reason === "so" && wasClean && got === n, [code, reason, wasClean, got]);
	console.log(`ok ${transport} ${n} messages: ${order.join(", ")}`);
});
