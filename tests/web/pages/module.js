// A module worker, by the ES module.
import { CulvertSocket } from "/dist/culvert-web.js";

self.onmessage = ({ data: { options } }) => {
	const s = new CulvertSocket("wss://app.example/echo", undefined, { ...options, service: "echo" });
	s.onopen = () => s.send("from a module");
	s.onmessage = e => self.postMessage(e.data);
	s.onerror = () => self.postMessage("error");
};
