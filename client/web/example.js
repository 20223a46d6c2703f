// The page of example.html.
import { CulvertSocket } from "./dist/culvert-web.js";

const connect = document.forms.connect;
const say = document.forms.say;
let socket;

function log(text) {
	document.getElementById("log").textContent += `${new Date().toLocaleTimeString()} ${text}\n`;
}

connect.addEventListener("submit", (event) => {
	event.preventDefault();
	const { base, service, token, protocol } = Object.fromEntries(new FormData(connect));
	socket?.close();
	socket = new CulvertSocket("wss://example.invalid/", protocol ? [protocol] : [], { base, service, token });
	socket.onopen = () => {
		log(`open, subprotocol "${socket.protocol}"`);
		say.querySelector("button").disabled = false;
	};
	socket.onmessage = ({ data }) => log(`${socket.transport}: ${data}`);
	socket.onerror = () => log("error: the network panel of the browser shows what was answered");
	socket.onclose = ({ code, reason, wasClean }) => {
		log(`closed: ${code} ${reason}${wasClean ? "" : ", not clean"}`);
		say.querySelector("button").disabled = true;
	};
});

say.addEventListener("submit", (event) => {
	event.preventDefault();
	socket.send(say.text.value);
	say.reset();
});
