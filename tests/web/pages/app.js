// What the pages and workers of tests do with a CulvertSocket. options: base, token and what else is to be tried.
"use strict";
const sockets = {};

function open(name, service, options, url = "wss://app.example/" + service) {
	const s = new CulvertWeb.CulvertSocket(url, [], { ...options, service });
	return kept(name, s);
}

// Keeps what a socket tells; resolves when it is open.
function kept(name, s) {
	const it = { s, got: [], told: [] };
	sockets[name] = it;
	s.onmessage = e => it.got.push(e.data);
	s.onerror = () => it.told.push("error");
	s.onclose = e => it.told.push("close " + e.code + " " + e.wasClean);
	return new Promise((yes, no) => {
		s.onopen = () => { it.told.push("open"); yes("open"); };
		s.addEventListener("close", e => no(new Error("closed " + e.code)));
	});
}

async function until(question, ms = 10000) {
	for (const end = Date.now() + ms; Date.now() < end; await new Promise(yes => setTimeout(yes, 20)))
		if (question())
			return true;
	return false;
}

// A few messages there and back: "ok by TRANSPORT", or what went wrong. transport: the one that must carry them in the end.
async function exchange(name, options, transport) {
	await open(name, "echo", options);
	const it = sockets[name];
	for (const data of ["text", "\u20ac".repeat(1000), new Uint8Array([0, 1, 255])])
		it.s.send(data);
	if (!await until(() => it.got.length === 3))
		return "only " + it.got.length + " came back";
	if (it.got[0] !== "text" || it.got[1] !== "\u20ac".repeat(1000) || it.got[2].size !== 3)
		return "something else came back";
	if (transport && !await until(() => it.s.transport === transport, 5000))
		return "by " + it.s.transport;
	for (let i = 0; i < 10; i++)
		it.s.send("n" + i);
	if (!await until(() => it.got.length === 13) || it.got.slice(3).some((m, i) => m !== "n" + i))
		return "came back: " + it.got.slice(3);
	return "ok by " + it.s.transport;
}

// As a frame in another site's page: tells that page how it went.
if (typeof window === "object" && location.hash.startsWith("#run,")) {
	const { options, transport } = JSON.parse(decodeURIComponent(location.hash.slice(5)));
	const stored = () => {
		try {
			localStorage.setItem("x", "1");
			return "stored";
		} catch (e) {
			return e.name;
		}
	};
	Promise.all([exchange("frame", options, transport), fetch("/header", { credentials: "include" }).then(a => a.json())])
		.then(([said, seen]) => parent.postMessage({ said, cookie: seen.cookie || "", stored: stored() }, "*"), e => parent.postMessage({ said: String(e) }, "*"));
}
