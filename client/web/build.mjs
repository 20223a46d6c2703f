// Builds dist/: the ES module, the bundle for <script>, and the types.
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

process.chdir(import.meta.dirname ?? new URL(".", import.meta.url).pathname);
rmSync("dist", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc"], { stdio: "inherit" });
writeFileSync("dist/culvert-web.d.ts", 'export * from "./types/index.js";\n');

const common = {
	entryPoints: ["src/index.ts"],
	bundle: true,
	minify: true,
	mangleProps: /^_[a-z]/,
	target: "es2020",
	sourcemap: true,
	legalComments: "none",
};
await build({ ...common, format: "esm", outfile: "dist/culvert-web.js" });
// What is exported is put into `umd`, an object of the wrapper's.
await build({
	...common,
	entryPoints: undefined,
	stdin: { contents: 'import { CulvertSocket } from "./src/index.ts"; umd.CulvertSocket = CulvertSocket;', resolveDir: "." },
	format: "esm",
	outfile: "dist/culvert-web.umd.js",
	banner: { js: "(function(root,umd,make){make(umd);if(typeof module==='object'&&module.exports)module.exports=umd;else if(typeof define==='function'&&define.amd)define(function(){return umd});else root.CulvertWeb=umd})(typeof globalThis==='object'?globalThis:self,{},function(umd){\"use strict\";" },
	footer: { js: "});" },
});
