// Builds dist/: the ES module, the bundle for <script>, and the types.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

process.chdir(import.meta.dirname ?? new URL(".", import.meta.url).pathname);
rmSync("dist", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc"], { stdio: "inherit" });
writeFileSync("dist/culvert-web.d.ts", 'export * from "./types/index.js";\n');

await build({
	entryPoints: ["src/index.ts"],
	bundle: true,
	minify: true,
	// Names that begin so are the library's own.
	mangleProps: /^_[a-z]/,
	target: "es2020",
	format: "esm",
	legalComments: "none",
	outfile: "dist/culvert-web.js",
});

// The same for <script>, CommonJS and AMD: what was exported is returned.
const module = readFileSync("dist/culvert-web.js", "utf8");
const [, body, name] = /^(.*)export\{(\w+) as CulvertSocket\};\s*$/s.exec(module);
const head = 'typeof module=="object"&&module.exports?module.exports=f():typeof define=="function"&&define.amd?define([],f):globalThis.CulvertWeb=f()';
writeFileSync("dist/culvert-web.umd.js", `(function(f){${head}})(function(){"use strict";${body}return{CulvertSocket:${name}}});\n`);
