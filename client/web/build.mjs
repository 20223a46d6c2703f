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
	target: "es2018",
	sourcemap: true,
	legalComments: "none",
};
await build({ ...common, format: "esm", outfile: "dist/culvert-web.js" });
// CommonJS inside, whatever the page has outside.
await build({
	...common,
	format: "cjs",
	outfile: "dist/culvert-web.umd.js",
	banner: { js: "(function(root,make){var m={exports:{}};make(m,m.exports);if(typeof module==='object'&&module.exports)module.exports=m.exports;else if(typeof define==='function'&&define.amd)define(function(){return m.exports});else root.CulvertWeb=m.exports})(typeof globalThis==='object'?globalThis:self,function(module,exports){" },
	footer: { js: "});" },
});
