// A reverse proxy of Node's http2 module: HTTP/2 by TLS in front, HTTP/1.1 in cleartext behind, bodies as they come.
//
//     node node_front.js port=P dir=DIR to=PORT [streams=100] [window=65535] [goaway=N] [connect=1]
//
// Certificate and key are DIR/fullchain.pem and DIR/privkey.pem. streams and window are its SETTINGS; goaway=N: a connection is drained (GOAWAY)
// with its Nth request; connect=1: extended CONNECT (RFC 8441) becomes an Upgrade behind it. Prints a line for each exchange that is over:
// time client exchange method path status version.
'use strict';
const fs = require('fs'), http = require('http'), http2 = require('http2');

const options = { streams: '100', window: '65535', goaway: '0', connect: '1' };
for (const word of process.argv.slice(2))
	options[word.slice(0, word.indexOf('='))] = word.slice(word.indexOf('=') + 1);

const agent = new http.Agent({ keepAlive: true });
const hop = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'te', 'host']);

function passed(headers) {
	const kept = {};
	for (const name of Object.keys(headers))
		if (!name.startsWith(':') && !hop.has(name))
			kept[name] = headers[name];
	return kept;
}

function log(client, headers, status) {
	console.log(`${Date.now() / 1000} ${client} exchange ${headers[':method']} ${headers[':path']} ${status} 2.0`);
}

// One exchange: what fails behind it resets the stream, and the other way round.
function exchange(stream, headers) {
	const websocket = headers[':method'] === 'CONNECT';
	const client = `${stream.session.socket.remoteAddress}:${stream.session.socket.remotePort}`;
	let status = 0;
	const request = http.request({
		host: '127.0.0.1', port: options.to, path: headers[':path'], method: websocket ? 'GET' : headers[':method'], agent: websocket ? false : agent,
		headers: { ...passed(headers), host: headers[':authority'], 'x-forwarded-for': stream.session.socket.remoteAddress,
			...(websocket && { connection: 'Upgrade', upgrade: headers[':protocol'], 'sec-websocket-key': 'MDEyMzQ1Njc4OWFiY2RlZg==' }) },
	});
	request.setNoDelay(true);
	request.on('response', (answer) => {
		status = answer.statusCode;
		if (stream.destroyed)
			return;
		stream.respond({ ':status': status, ...passed(answer.headers) });
		answer.pipe(stream);
		answer.on('error', () => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
	});
	request.on('upgrade', (answer, socket, head) => {
		status = 200;
		const headers = passed(answer.headers);
		delete headers['sec-websocket-accept'];
		socket.setNoDelay(true);
		stream.respond({ ':status': status, ...headers });
		stream.write(head);
		socket.pipe(stream);
		stream.pipe(socket);
		socket.on('error', () => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
		stream.on('close', () => socket.destroy());
	});
	request.on('error', () => stream.destroyed || stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
	stream.on('error', () => request.destroy());
	stream.on('close', () => {
		log(client, headers, status);
		if (!request.writableEnded)
			request.destroy();
	});
	if (websocket)
		request.end();
	else {
		stream.pipe(request);
		request.flushHeaders();
	}
}

const server = http2.createSecureServer({
	cert: fs.readFileSync(`${options.dir}/fullchain.pem`), key: fs.readFileSync(`${options.dir}/privkey.pem`),
	settings: { maxConcurrentStreams: +options.streams, initialWindowSize: +options.window, enableConnectProtocol: options.connect === '1' },
});
const served = new WeakMap();
server.on('stream', (stream, headers) => {
	const count = (served.get(stream.session) || 0) + 1;
	served.set(stream.session, count);
	exchange(stream, headers);
	if (count === +options.goaway)
		stream.session.close();
});
server.on('secureConnection', (socket) => socket.setNoDelay(true));
server.listen(+options.port, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
