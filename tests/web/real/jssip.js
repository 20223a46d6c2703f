// JsSIP: two users register with their password; messages; a call with audio; both unregister, after which one is not found any more.
import JsSIP from "jssip";
import { deferred, exchanges, page } from "./life.js";

function user(options, name) {
	const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(options.url)], uri: "sip:" + name + "@sip.test", password: "secret",
		session_timers: false, register: true });
	const registered = deferred();
	ua.on("registered", registered.yes);
	ua.on("registrationFailed", e => registered.no("registration: " + e.cause));
	// It goes on trying, but a first attempt that fails is what is asked about.
	ua.on("disconnected", e => registered.no("disconnected: " + (e.reason || e.code)));
	ua.start();
	return { ua, registered: registered.promise };
}

async function message(from, to, text) {
	const came = deferred();
	to.ua.once("newMessage", e => { if (e.originator === "remote") came.yes(e.request.body); });
	from.ua.sendMessage(to.ua.configuration.uri.toString(), text, { eventHandlers: { failed: e => came.no("message: " + e.cause) } });
	if (await came.promise !== text)
		throw new Error("another message came");
}

async function call(from, to, steps) {
	const confirmed = deferred(), ended = deferred(), there = deferred();
	to.ua.once("newRTCSession", ({ session, originator }) => {
		if (originator !== "remote")
			return;
		session.on("ended", e => there.yes(e.originator));
		session.answer({ mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } });
	});
	const session = from.ua.call(to.ua.configuration.uri.toString(), { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] },
		eventHandlers: { progress: () => steps.done("ringing"), confirmed: confirmed.yes, failed: e => confirmed.no("call: " + e.cause), ended: ended.yes } });
	await steps.wait("call", confirmed.promise);
	const pc = session.connection, media = deferred();
	const look = () => { if (pc.connectionState === "connected") media.yes(); };
	pc.addEventListener("connectionstatechange", look);
	look();
	await steps.wait("media", media.promise);
	session.terminate();
	await steps.wait("bye", Promise.all([ended.promise, there.promise]));
}

async function leave(one) {
	const gone = deferred();
	one.ua.on("unregistered", gone.yes);
	one.ua.unregister();
	await gone.promise;
}

page(async (options, steps, result) => {
	JsSIP.debug.disable("JsSIP:*");
	const alice = user(options, "alice"), bob = user(options, "bob");
	await steps.wait("registered", Promise.all([alice.registered, bob.registered]), options.patience);
	await steps.wait("message", message(alice, bob, "hello"));
	await call(alice, bob, steps);
	result.latency = await steps.wait("messages", exchanges(options.messages, i => message(bob, alice, "number " + i)));
	await steps.wait("unregistered", leave(bob));
	await steps.wait("unknown", message(alice, bob, "anybody?").then(() => { throw new Error("the user is still there"); }, e => {
		if (!/Not Found/i.test(e.message))
			throw e;
	}));
	await steps.wait("left", leave(alice));
	alice.ua.stop();
	bob.ua.stop();
});
