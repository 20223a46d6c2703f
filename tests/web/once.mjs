/*
 * Does each message come once and in order, whatever the way does? once(socket, count, options) sends numbered messages, which the other
 * end says again, and compares each with what it must be; in Node.js and in pages.
 */

/* What the Ith message is: its length and its letters follow from the number. Every fifth is binary. */
function message(i) {
	const size = (i * 7919) % 13 === 0 ? (i * 37) % 20000 : (i * 31) % 300;
	const text = `${i} `.padEnd(size, String.fromCharCode(97 + (i % 26)));

	return i % 5 === 4 ? new TextEncoder().encode(text) : text;
}

function same(a, b) {
	if (typeof a === "string" || typeof b === "string")
		return a === b;
	const view = new Uint8Array(b);
	return a.length === view.length && a.every((octet, i) => octet === view[i]);
}

/*
 * Resolves to { came, ms } when all are back; rejects at the first that is not the one that must come, and when the socket ends.
 * window: how many are on the way at a time; pace(i): ms to wait before the Ith one (0).
 */
export function once(socket, count, { window = 200, pace = () => 0, progress = () => {} } = {}) {
	const began = Date.now();
	let sent = 0, came = 0, waiting = false;

	socket.binaryType = "arraybuffer";
	return new Promise((resolve, reject) => {
		const more = () => {
			while (!waiting && sent < count && sent - came < window) {
				const pause = pace(sent);

				if (pause) {
					waiting = true;
					setTimeout(() => {
						waiting = false;
						socket.send(message(sent++));
						more();
					}, pause);
					return;
				}
				socket.send(message(sent++));
			}
		};
		socket.onopen = more;
		socket.onclose = (event) => reject(new Error(`closed with ${event.code} ${event.reason} after ${came} of ${sent}`));
		socket.onmessage = (event) => {
			if (!same(message(came), event.data))
				return reject(new Error(`message ${came} is another one: ${String(event.data).slice(0, 40)}`));
			progress(++came, sent);
			if (came === count)
				resolve({ came, ms: Date.now() - began });
			else
				more();
		};
		if (socket.readyState === 1)
			more();
	});
}

/* What a socket tells that ends: its code, and that nothing comes before or behind it. */
export function ended(socket, seconds) {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(() => reject(new Error(`no close within ${seconds} s`)), seconds * 1000);

		socket.onmessage = (event) => reject(new Error("a message after all was over: " + String(event.data).slice(0, 40)));
		socket.onclose = (event) => {
			clearTimeout(timer);
			resolve({ code: event.code, clean: event.wasClean });
		};
	});
}
