// An EventSource over fetch, for node, which has none; without its own repeating.
export function eventSource(fetch) {
	return class extends EventTarget {
		onerror = null;
		#stop = new AbortController();

		constructor(url) {
			super();
			this.#read(url).catch(() => {}).then(() => this.#stop.signal.aborted || this.onerror?.(new Event("error")));
		}

		close() {
			this.#stop.abort();
		}

		async #read(url) {
			const answer = await fetch(url, { headers: { Accept: "text/event-stream" }, signal: this.#stop.signal });
			if (answer.status !== 200)
				return;
			const decoder = new TextDecoder();
			const reader = answer.body.getReader();
			let left = "";
			let lastEventId = "";
			let event = { data: [], type: "message" };
			for (;;) {
				const { done, value } = await reader.read();
				if (done || this.#stop.signal.aborted)
					return;
				const lines = (left + decoder.decode(value, { stream: true })).split("\n");
				left = lines.pop();
				for (const line of lines) {
					const [, field, data] = /^([^:]*):? ?(.*)$/s.exec(line);
					if (line === "" && event.data.length && !this.#stop.signal.aborted)
						this.dispatchEvent(new MessageEvent(event.type, { data: event.data.join("\n"), lastEventId }));
					if (line === "")
						event = { data: [], type: "message" };
					else if (field === "event")
						event.type = data;
					else if (field === "data")
						event.data.push(data);
					else if (field === "id")
						lastEventId = data;
				}
			}
		}
	};
}
