/*
 * CulvertSocket in Node.js through a proxy that does wrong: each message once and in order, and an honest close at the end.
 *
 *     node once_node.mjs PROXY-PORT SERVER-PORT BEARER COUNT TRANSPORT
 *
 * Prints "opened", "came N" now and then, "all N MS TRANSPORT...", then, when the session is lost, "closed CODE CLEAN". NODE_EXTRA_CA_CERTS
 * has the proxy's CA. fetch knows no proxies: it goes to a port of ours, from which everything goes on through the proxy.
 */
import net from "node:net";
import { CulvertSocket } from "../../client/web/dist/culvert-web.js";
import { ended, once } from "./once.mjs";

const [proxy, server, token, count, transport] = process.argv.slice(2);

function tunnel(client) {
	const way = net.connect(Number(proxy), "127.0.0.1");
	let head = "";
	const answer = (data) => {
		head += data.toString("latin1");
		if (!head.includes("\r\n\r\n"))
			return;
		way.off("data", answer);
		client.pipe(way);
		way.pipe(client);
		const rest = head.slice(head.indexOf("\r\n\r\n") + 4);
		if (rest)
			client.write(rest, "latin1");
	};

	for (const [one, other] of [[client, way], [way, client]]) {
		one.setNoDelay(true);
		one.on("error", () => other.destroy());
		one.on("close", () => other.destroy());
	}
	way.on("data", answer);
	way.write(`CONNECT localhost:${server} HTTP/1.1\r\n\r\n`);
}

const entrance = net.createServer(tunnel).listen(0, "127.0.0.1", async () => {
	const base = `https://localhost:${entrance.address().port}/culvert`;
	const socket = new CulvertSocket("wss://once.example/", [], { base, service: "sig", token, ...(transport !== "all" && { transports: [transport] }) });
	const seen = new Set();

	socket.addEventListener("open", () => console.log("opened"));
	try {
		const all = await once(socket, Number(count), {
			window: 60,
			pace: (i) => (i % 100 === 99 ? 20 : 0),
			progress: (came) => {
				seen.add(socket.transport);
				if (came % 1000 === 0)
					console.log("came", came);
			},
		});
		console.log("all", all.came, all.ms, [...seen].join());
		const end = await ended(socket, 120);
		console.log("closed", end.code, end.clean);
		process.exit(0);
	} catch (error) {
		console.log("FAILED", error.message);
		process.exit(1);
	}
});
