// Bodies of REST.md as the server sees them: records and events.
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const TYPES = { text: 1, binary: 2, close: 8 };

export function record(type, payload) {
	const octets = typeof payload === "string" ? encoder.encode(payload) : payload;
	const out = new Uint8Array(4 + octets.length);
	out.set([type, octets.length >> 16, octets.length >> 8, octets.length]);
	out.set(octets, 4);
	return out;
}

export function join(parts) {
	const whole = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}

/** {type, data}: data is a text, octets, or [code, reason]. */
export function encode({ type, data }) {
	if (type !== "close")
		return record(TYPES[type], data);
	const [code, reason] = data;
	return record(8, code === 1005 ? "" : join([new Uint8Array([code >> 8, code]), encoder.encode(reason)]));
}

export function read(body) {
	const messages = [];
	let head;
	for (let at = 0; at < body.length; ) {
		const n = (body[at + 1] << 16) | (body[at + 2] << 8) | body[at + 3];
		const payload = body.slice(at + 4, at + 4 + n);
		if (payload.length !== n)
			throw new Error("a record is cut off");
		if (!head && body[at] !== 16)
			throw new Error("no head");
		if (body[at] === 16)
			head = JSON.parse(decoder.decode(payload));
		else if (body[at] === 1)
			messages.push({ type: "text", data: decoder.decode(payload) });
		else if (body[at] === 2)
			messages.push({ type: "binary", data: payload });
		else if (body[at] === 8)
			messages.push({ type: "close", data: n ? [(payload[0] << 8) | payload[1], decoder.decode(payload.slice(2))] : [1005, ""] });
		at += 4 + n;
	}
	return { head, messages };
}

export function event({ type, data }, number) {
	const id = `id: ${number}\n`;
	if (type === "close")
		return encoder.encode(`${id}event: close\ndata: ${JSON.stringify(data)}\n\n`);
	if (type === "binary")
		return encoder.encode(`${id}event: binary\ndata: ${Buffer.from(data).toString("base64")}\n\n`);
	if (data.includes("\r"))
		return encoder.encode(`${id}event: json\ndata: ${JSON.stringify(data)}\n\n`);
	return encoder.encode(`${id}event: text\n${data.split("\n").map((line) => `data: ${line}\n`).join("")}\n`);
}

export const named = (name, fields) => encoder.encode(`event: ${name}\ndata: ${JSON.stringify(fields)}\n\n`);
export const octets = (text) => encoder.encode(text);
