// The bundles stay small, and load both ways.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url);

for (const name of ["culvert-web.js", "culvert-web.umd.js"])
	test(`${name} has less than 8 KB compressed`, () => {
		assert.ok(gzipSync(readFileSync(new URL(name, dist)), { level: 9 }).length < 8192);
	});

test("the module exports CulvertSocket", async () => {
	const { CulvertSocket } = await import("../dist/culvert-web.js");
	assert.equal(CulvertSocket.OPEN, 1);
});

test("the bundle sets a global", () => {
	const root = {};
	new Function("globalThis", "module", "define", readFileSync(new URL("culvert-web.umd.js", dist), "utf8"))(root);
	assert.equal(root.CulvertWeb.CulvertSocket.CLOSED, 3);
});
