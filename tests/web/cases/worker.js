// The same cases in a dedicated worker: its page sends what is to be tried, and gets the results.
"use strict";
importScripts("/dist/culvert-web.umd.js", "harness.js", "protocols.js", "attributes.js", "send.js", "receive.js", "close.js", "events.js", "constructor.js");

self.onmessage = async ({ data: { transport, at, options, word } }) => self.postMessage(await runCases(worldOf(transport, at, options), word));
