// A dedicated or shared worker: does what it is told and tells how it went.
"use strict";
importScripts("/dist/culvert-web.umd.js", "/pages/app.js");

async function work(port, { options, transport }) {
	port.postMessage(await exchange("worker", options, transport).catch(String));
}
if ("onconnect" in self)
	self.onconnect = e => { e.ports[0].onmessage = m => work(e.ports[0], m.data); };
else
	self.onmessage = m => work(self, m.data);
