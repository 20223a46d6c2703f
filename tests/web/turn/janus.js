// Calls by Janus: the echo test, and a room of its VideoRoom. Needs call.js.
//
//   await echo({signalling, iceServers, ...})    the Watch of a call that is connected
//   await room({signalling, iceServers, ...})    {sends, receives}: those of what is published and of the other party, when there is one
//   await watched(seconds)                       the report on it
"use strict";

class Signalling {
	async open(url) {
		this.waiting = new Map();
		this.listeners = [];
		this.socket = new WebSocket(url, "janus-protocol");
		await new Promise((done, failed) => {
			this.socket.onopen = done;
			this.socket.onclose = e => failed(new Error(`no signalling (${e.code})`));
		});
		this.socket.onmessage = e => this.took(JSON.parse(e.data));
		this.session = (await this.request({ janus: "create" })).data.id;
		setInterval(() => this.request({ janus: "keepalive" }), 20000);
		return this;
	}

	took(message) {
		const waits = this.waiting.get(message.transaction);
		if (waits && ["success", "ack", "error"].includes(message.janus)) {
			this.waiting.delete(message.transaction);
			return message.janus === "error" ? waits.failed(new Error(message.error.reason)) : waits.done(message);
		}
		for (const listener of [...this.listeners])
			listener(message);
	}

	request(message, transaction = Math.random().toString(36).slice(2)) {
		this.socket.send(JSON.stringify({ transaction, ...(this.session ? { session_id: this.session } : {}), ...message }));
		return new Promise((done, failed) => this.waiting.set(transaction, { done, failed }));
	}

	event(suits, ms = 20000) {
		return new Promise((done, failed) => {
			const timer = setTimeout(() => failed(new Error("an event did not come")), ms), listener = message => {
				if (!suits(message))
					return;
				clearTimeout(timer);
				this.listeners = this.listeners.filter(l => l !== listener);
				done(message);
			};
			this.listeners.push(listener);
		});
	}

	async attach(plugin) {
		const handle = (await this.request({ janus: "attach", plugin: "janus.plugin." + plugin })).data.id;
		return {
			handle,
			/* What it answers, as an event of its own. */
			ask: async (body, jsep) => {
				const transaction = Math.random().toString(36).slice(2), answer = this.event(m => m.transaction === transaction && m.plugindata);
				await this.request({ janus: "message", handle_id: handle, body, ...(jsep ? { jsep } : {}) }, transaction);
				return answer;
			},
			trickles: pc => pc.onicecandidate = e => this.request({ janus: "trickle", handle_id: handle, candidate: e.candidate ? e.candidate.toJSON() : { completed: true } }),
		};
	}
}

function connection(o, began) {
	const pc = new RTCPeerConnection({ iceServers: o.iceServers, iceTransportPolicy: "relay", bundlePolicy: o.bundlePolicy ?? "max-bundle" });
	return { pc, watch: new Watch(pc, began) };
}

/* By UDP alone where it gets there (client/BROWSERS.md): what answers first is what is used, and that may be TCP. */
async function chosen(o) {
	const udp = o.iceServers.map(s => ({ ...s, urls: s.urls.filter(url => url.endsWith("=udp")) }));
	return o.choose && (await relays(udp, 2000)).found.length ? { ...o, iceServers: udp } : o;
}

async function camera(o, pc) {
	const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
	const media = await navigator.mediaDevices.getUserMedia({ audio, video: { width: o.width ?? 320, height: o.height ?? 240, frameRate: o.fps ?? 15 } });
	for (const track of media.getTracks())
		pc.addTrack(track, media);
}

async function echo(given) {
	const began = performance.now(), o = await chosen(given), signalling = await new Signalling().open(o.signalling), plugin = await signalling.attach("echotest");
	const { pc, watch } = connection(o, began);
	await camera(o, pc);
	plugin.trickles(pc);
	await pc.setLocalDescription();
	const answered = signalling.event(m => m.jsep);
	await plugin.ask({ audio: true, video: true, bitrate: o.bitrate ?? 512000 }, pc.localDescription.toJSON());
	await pc.setRemoteDescription((await answered).jsep);
	window.watches = { echo: watch };
	return watch.connected();
}

async function publish(o, signalling, began) {
	const plugin = await signalling.attach("videoroom"), { pc, watch } = connection(o, began);
	const joined = await plugin.ask({ request: "join", ptype: "publisher", room: o.room ?? 1234, display: o.name });
	await camera(o, pc);
	plugin.trickles(pc);
	await pc.setLocalDescription();
	const published = await plugin.ask({ request: "publish", bitrate: o.bitrate ?? 512000 }, pc.localDescription.toJSON());
	await pc.setRemoteDescription(published.jsep);
	return { watch, others: joined.plugindata.data.publishers ?? [] };
}

async function subscribe(o, signalling, feed, began) {
	const plugin = await signalling.attach("videoroom"), { pc, watch } = connection(o, began);
	plugin.trickles(pc);
	const offered = await plugin.ask({ request: "join", ptype: "subscriber", room: o.room ?? 1234, streams: [{ feed }] });
	await pc.setRemoteDescription(offered.jsep);
	await pc.setLocalDescription();
	await plugin.ask({ request: "start" }, pc.localDescription.toJSON());
	return watch;
}

async function room(given) {
	const began = performance.now(), o = await chosen(given), signalling = await new Signalling().open(o.signalling);
	const there = new Promise(done => signalling.listeners.push(m => m.plugindata?.data?.publishers?.length && done(m.plugindata.data.publishers)));
	const { watch, others } = await publish(o, signalling, began);
	const [other] = others.length ? others : await there;
	const receives = await subscribe(o, signalling, other.id, others.length ? began : performance.now());
	window.watches = { sends: watch, receives };
	return receives.connected();
}

async function watched(seconds) {
	const reports = await Promise.all(Object.entries(window.watches).map(async ([name, watch]) => [name, await watch.report(seconds)]));
	return Object.fromEntries(reports);
}
