// SIP.js' SimpleUser: two users register with their password; messages; a call with audio; both unregister and disconnect.
import { SimpleUser } from "sip.js/lib/platform/web";
import { deferred, exchanges, page } from "./life.js";

class Person {
	constructor(options, name) {
		this.aor = "sip:" + name + "@sip.test";
		this.expected = {};
		const came = (what, value) => this.expected[what]?.yes(value);
		this.user = new SimpleUser(options.url, {
			aor: this.aor,
			media: { constraints: { audio: true, video: false }, remote: { audio: document.createElement("audio") } },
			userAgentOptions: { authorizationUsername: name, authorizationPassword: "secret", logLevel: "error", logBuiltinEnabled: false,
				sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] }, iceGatheringTimeout: 500 } },
			delegate: {
				onRegistered: () => came("registered"),
				onUnregistered: () => came("unregistered"),
				onCallReceived: () => this.user.answer(),
				onCallAnswered: () => came("answered"),
				onCallHangup: () => came("hangup"),
				onMessageReceived: text => came("message", text),
			},
		});
	}

	// The next event of a kind.
	next(what) {
		this.expected[what] = deferred();
		return this.expected[what].promise;
	}

	async begin() {
		const registered = this.next("registered");
		await this.user.connect();
		await this.user.register();
		await registered;
	}

	async end() {
		const unregistered = this.next("unregistered");
		await this.user.unregister();
		await unregistered;
	}
}

async function message(from, to, text) {
	const came = to.next("message");
	await from.user.message(to.aor, text);
	if (await came !== text)
		throw new Error("another message came");
}

async function call(from, to, steps) {
	const answered = Promise.all([from.next("answered"), to.next("answered")]);
	await from.user.call(to.aor);
	await steps.wait("call", answered);
	const playing = to.user.remoteMediaStream?.getAudioTracks() ?? [];
	if (playing.length !== 1)
		throw new Error("no audio came");
	const ended = Promise.all([from.next("hangup"), to.next("hangup")]);
	await from.user.hangup();
	await steps.wait("bye", ended);
}

page(async (options, steps, result) => {
	const carol = new Person(options, "carol"), dave = new Person(options, "dave");
	await steps.wait("registered", Promise.all([carol.begin(), dave.begin()]), options.patience);
	await steps.wait("message", message(carol, dave, "hello"));
	await call(carol, dave, steps);
	result.latency = await steps.wait("messages", exchanges(options.messages, i => message(dave, carol, "number " + i)));
	await steps.wait("unregistered", Promise.all([carol.end(), dave.end()]));
	await steps.wait("disconnected", Promise.all([carol.user.disconnect(), dave.user.disconnect()]));
});
