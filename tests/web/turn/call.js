// What a page does of WebRTC here, and how well it goes, by getStats.
//
//   relays(iceServers, ms)        the relayed candidates that are found: {found, after}
//   opens(url, ms)                does a WebSocket for Janus open there, and answer: {opened, after, why}
//   new Watch(pc, began)          samples a connection; await watch.report(seconds): see below
"use strict";
const SAMPLE = 50; // ms
const sleep = ms => new Promise(done => setTimeout(done, ms));

async function relays(iceServers, ms) {
	const pc = new RTCPeerConnection({ iceServers, iceTransportPolicy: "relay" }), began = performance.now(), found = [];
	let after = null;
	const over = new Promise(done => pc.onicecandidate = e => {
		if (!e.candidate)
			return done();
		if (e.candidate.type === "relay") {
			after ??= Math.round(performance.now() - began);
			found.push(e.candidate.relayProtocol + " " + e.candidate.url);
			done();
		}
	});
	pc.createDataChannel("x");
	await pc.setLocalDescription();
	await Promise.race([over, sleep(ms)]);
	pc.close();
	return { found, after };
}

async function opens(url, ms) {
	const began = performance.now();
	let socket;
	const why = await Promise.race([new Promise(done => {
		socket = new WebSocket(url, "janus-protocol");
		socket.onopen = () => socket.send('{"janus":"info","transaction":"x"}');
		socket.onmessage = e => done(JSON.parse(e.data).janus === "server_info" ? null : "it says something else");
		socket.onclose = e => done("closed with " + e.code);
	}), sleep(ms).then(() => "no answer")]);
	socket.onclose = null;
	socket.close();
	return { opened: why === null, after: Math.round(performance.now() - began), why };
}

/* What one look at the statistics says, by kind. */
function looked(stats) {
	const all = [...stats.values()], at = {}, of = (type, kind) => all.filter(s => s.type === type && s.kind === kind);
	for (const kind of ["audio", "video"]) {
		const sum = (type, field) => of(type, kind).reduce((n, s) => n + (s[field] ?? 0), 0);
		at[kind] = { sent: sum("outbound-rtp", "packetsSent"), sentBytes: sum("outbound-rtp", "bytesSent"), received: sum("inbound-rtp", "packetsReceived"),
			bytes: sum("inbound-rtp", "bytesReceived"), lost: sum("inbound-rtp", "packetsLost"), jitter: Math.max(0, ...of("inbound-rtp", kind).map(s => s.jitter ?? 0)),
			decoded: sum("inbound-rtp", "framesDecoded"), freezes: sum("inbound-rtp", "freezeCount"), frozen: sum("inbound-rtp", "totalFreezesDuration"),
			height: Math.max(0, ...of("inbound-rtp", kind).map(s => s.frameHeight ?? 0)), samples: sum("inbound-rtp", "totalSamplesReceived"),
			silent: Math.max(0, ...of("inbound-rtp", kind).map(s => s.timestamp - (s.lastPacketReceivedTimestamp ?? s.timestamp))),
			concealed: sum("inbound-rtp", "concealedSamples") - sum("inbound-rtp", "silentConcealedSamples"), stretched: sum("inbound-rtp", "insertedSamplesForDeceleration"),
			buffered: sum("inbound-rtp", "jitterBufferDelay"), emitted: sum("inbound-rtp", "jitterBufferEmittedCount") };
	}
	const pair = stats.get(all.find(s => s.type === "transport")?.selectedCandidatePairId), local = pair && stats.get(pair.localCandidateId);
	at.rtt = pair?.currentRoundTripTime;
	at.by = local ? `${local.candidateType}/${local.relayProtocol ?? local.protocol}` : null;
	return at;
}

class Watch {
	constructor(pc, began) {
		Object.assign(this, { pc, began, ice: [], first: null, rtts: [] });
		pc.addEventListener("iceconnectionstatechange", () => this.ice.push([Math.round(performance.now() - began), pc.iceConnectionState]));
		pc.addEventListener("track", e => this.shown(e.track));
	}

	shown(track) {
		const element = document.body.appendChild(document.createElement(track.kind));
		Object.assign(element, { autoplay: true, muted: true, srcObject: new MediaStream([track]) });
		if (track.kind === "video")
			element.requestVideoFrameCallback(now => this.first ??= Math.round(now - this.began));
	}

	async connected(ms = 30000) {
		for (const end = performance.now() + ms; this.first === null || !["connected", "completed"].includes(this.pc.iceConnectionState); await sleep(20))
			if (performance.now() > end)
				throw new Error("no picture: " + JSON.stringify({ ice: this.ice, now: looked(await this.pc.getStats()) }));
		return this.first;
	}

	/* Longest times without anything new, and the longest freeze, of what was sampled. */
	async sampled(seconds) {
		const gap = { audio: 0, video: 0 };
		const from = looked(await this.pc.getStats());
		let before = from, longest = 0, hidden = 0, late = 0, woke = performance.now();
		for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(SAMPLE)) {
			const at = looked(await this.pc.getStats()), now = performance.now();
			const punctual = late < SAMPLE && now - woke < 2 * SAMPLE;
			late = now - woke - SAMPLE;
			woke = now;
			hidden = Math.max(hidden, late);
			for (const kind of ["audio", "video"])
				if (punctual)
					gap[kind] = Math.max(gap[kind], at[kind].silent);
			const freezes = at.video.freezes - before.video.freezes;
			if (freezes > 0)
				longest = Math.max(longest, (at.video.frozen - before.video.frozen) / freezes);
			this.rtts.push(at.rtt);
			before = at;
		}
		return { from, to: looked(await this.pc.getStats()), gap, longest, hidden };
	}

	/*
	 * What came and went in so many seconds. gap_ms: the longest time without a packet, as seen every 50 ms: at most
	 * so much too short, and only while the page itself was not held up; hidden_ms: the longest that it was. concealed_pct: of the audio that was played. jitter_ms, rtt_ms (the median), freeze_ms (the longest), frozen_ms (all).
	 */
	async report(seconds) {
		const { from, to, gap, longest, hidden } = await this.sampled(seconds), round = n => Math.round(n * 10) / 10;
		const more = (kind, field) => to[kind][field] - from[kind][field], a = f => more("audio", f), v = f => more("video", f);
		const rtts = this.rtts.filter(r => r !== undefined).sort((x, y) => x - y);
		const common = (kind, m) => ({ sent: m("sent"), received: m("received"), lost: m("lost"), jitter_ms: round(to[kind].jitter * 1000), gap_ms: Math.round(gap[kind]),
			sent_kbps: Math.round(m("sentBytes") * 8 / seconds / 1000), kbps: Math.round(m("bytes") * 8 / seconds / 1000), buffer_ms: Math.round(1000 * m("buffered") / (m("emitted") || 1)) });
		return { seconds, by: to.by, first_frame_ms: this.first, rtt_ms: round(1000 * (rtts[rtts.length >> 1] ?? NaN)), ice: this.ice, hidden_ms: Math.round(hidden),
			audio: { ...common("audio", a), concealed_pct: round(100 * a("concealed") / (a("samples") || 1)) },
			video: { ...common("video", v), decoded: v("decoded"), height: to.video.height, freezes: v("freezes"), freeze_ms: Math.round(longest * 1000),
				frozen_ms: Math.round(v("frozen") * 1000) } };
	}
}
