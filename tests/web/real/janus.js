// Janus' own janus.js: a session; echotest with audio and video, both ways; videoroom as publisher; everything taken down again.
import Janus from "janus-gateway";
import adapter from "webrtc-adapter";
import { deferred, exchanges, page, within } from "./life.js";

function attach(janus, plugin, more) {
	const d = deferred();
	janus.attach({ plugin, success: d.yes, error: d.no, ...more });
	return d.promise;
}

function called(handle, method, options = {}) {
	const d = deferred();
	handle[method]({ ...options, success: d.yes, error: d.no });
	return within(20000, d.promise, method);
}

const AUDIO_VIDEO = [{ type: "audio", capture: true, recv: true }, { type: "video", capture: "lowres", recv: true }];

async function echotest(janus, steps) {
	const answered = deferred(), up = deferred(), cleaned = deferred(), tracks = new Set();
	let handle;
	handle = await steps.wait("attached", attach(janus, "janus.plugin.echotest", {
		webrtcState: on => { if (on) up.yes(); },
		onremotetrack: (track, mid, on) => { if (on) tracks.add(track.kind); },
		onmessage: (message, jsep) => {
			if (jsep)
				handle.handleRemoteJsep({ jsep, success: () => answered.yes(message), error: answered.no });
		},
		oncleanup: cleaned.yes,
	}));
	const jsep = await steps.wait("offer", called(handle, "createOffer", { tracks: AUDIO_VIDEO, trickle: true }));
	await called(handle, "send", { message: { audio: true, video: true }, jsep });
	await steps.wait("answer", answered.promise);
	await steps.wait("media", up.promise);
	if (tracks.size !== 2)
		throw new Error("remote tracks: " + [...tracks]);
	await called(handle, "send", { message: { audio: false } });
	handle.hangup();
	await steps.wait("hangup", cleaned.promise);
	await steps.wait("detached", called(handle, "detach"));
}

async function videoroom(janus, steps) {
	const joined = deferred(), configured = deferred();
	let handle;
	handle = await steps.wait("room-attached", attach(janus, "janus.plugin.videoroom", {
		onmessage: (message, jsep) => {
			if (message.videoroom === "joined")
				joined.yes(message);
			if (message.error)
				configured.no(message.error);
			if (jsep)
				handle.handleRemoteJsep({ jsep, success: () => configured.yes(message), error: configured.no });
		},
	}));
	await called(handle, "send", { message: { request: "join", room: 1234, ptype: "publisher", display: "page" } });
	await steps.wait("joined", joined.promise);
	const jsep = await called(handle, "createOffer", { tracks: [{ type: "audio", capture: true }], trickle: true });
	await called(handle, "send", { message: { request: "publish", audio: true, video: false }, jsep });
	await steps.wait("published", configured.promise);
	await called(handle, "send", { message: { request: "leave" } });
	await steps.wait("room-detached", called(handle, "detach"));
}

page(async (options, steps, result) => {
	await new Promise(yes => Janus.init({ debug: ["error"], dependencies: Janus.useDefaultDependencies({ adapter }), callback: yes }));
	steps.began = performance.now();
	const session = deferred(), destroyed = deferred();
	const janus = new Janus({ server: options.url, iceServers: [], success: session.yes, error: session.no, destroyed: destroyed.yes });
	await steps.wait("registered", session.promise, options.patience);
	await echotest(janus, steps);
	await videoroom(janus, steps);
	result.latency = await steps.wait("messages", exchanges(options.messages, () => {
		const info = deferred();
		janus.getInfo({ success: info.yes, error: info.no });
		return info.promise;
	}));
	janus.destroy({ success: destroyed.yes, error: destroyed.no });
	await steps.wait("destroyed", destroyed.promise);
});
