// An application that knows nothing of Culvert.
"use strict";
const seen = [];
const ws = new WebSocket("wss://app.example/echo");
ws.binaryType = "arraybuffer";
ws.onopen = () => {
	seen.push("open", ws instanceof WebSocket, ws.readyState === WebSocket.OPEN, ws.url);
	ws.send("hello");
	ws.send(new Uint8Array([1, 2, 3]));
};
ws.addEventListener("message", e => {
	seen.push(typeof e.data === "string" ? e.data : e.data.byteLength, e.origin);
	if (e.data instanceof ArrayBuffer)
		ws.close(4000, "bye");
});
ws.onclose = e => seen.push("close", e.code, e.reason, e.wasClean);
