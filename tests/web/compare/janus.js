/*
 * The same transactions with Janus by its own REST long poll and by CulvertSocket with Janus' WebSocket behind it: a message to the
 * echo test, whose answer is an event. Both: { ask(pad): resolves when the event is there, close() }.
 */
"use strict";

class JanusBase {
	constructor() {
		this.asked = new Map();
		this.number = 0;
	}

	/* An event; those of no transaction of ours are of no interest. */
	take(event) {
		const resolve = this.asked.get(event.transaction);

		if (resolve && event.janus !== "ack") {
			this.asked.delete(event.transaction);
			resolve(event);
		}
	}

	request(what) {
		return { transaction: `t${++this.number}`, ...what };
	}

	wait(request) {
		return new Promise((resolve) => this.asked.set(request.transaction, resolve));
	}

	message(pad) {
		return this.request({ janus: "message", body: { audio: true, pad } });
	}
}

class JanusRest extends JanusBase {
	async post(path, request) {
		const answer = await fetch(this.base + path, { method: "POST", body: JSON.stringify(request), headers: { "Content-Type": "application/json" } });

		return answer.json();
	}

	async open(base) {
		this.base = base + "/janus";
		this.session = "/" + (await this.post("", this.request({ janus: "create" }))).data.id;
		this.handle = this.session + "/" + (await this.post(this.session, this.request({ janus: "attach", plugin: "janus.plugin.echotest" }))).data.id;
		this.poll();
		return this;
	}

	async poll() {
		while (!this.closed) {
			const answer = await fetch(`${this.base}${this.session}?maxev=10&rid=${Date.now()}`);

			for (const event of [await answer.json()].flat())
				this.take(event);
		}
	}

	ask(pad) {
		const request = this.message(pad);
		const event = this.wait(request);

		this.post(this.handle, request);
		return event;
	}

	async close() {
		this.closed = true;
		await this.post(this.session, this.request({ janus: "destroy" }));
	}
}

class JanusSocket extends JanusBase {
	async open(it) {
		this.it = it;
		it.onmessage = (text) => this.take(JSON.parse(text));
		this.more = { session_id: (await this.say(this.request({ janus: "create" }))).data.id };
		this.more.handle_id = (await this.say(this.request({ janus: "attach", plugin: "janus.plugin.echotest", ...this.more }))).data.id;
		return this;
	}

	say(request) {
		const event = this.wait(request);

		this.it.send(JSON.stringify(request));
		return event;
	}

	ask(pad) {
		return this.say({ ...this.message(pad), ...this.more });
	}

	async close() {
		this.it.close();
	}
}

async function janusOf(name, where) {
	if (name === "janus-rest")
		return new JanusRest().open(where.janus);
	return new JanusSocket().open(await culvert(where, name.split("-")[2] ?? "auto", "janus"));
}
