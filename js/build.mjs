// Builds what is in src/ for pages, for npm, or for both:
//
//     node build.mjs [--static DIRECTORY] [--dist DIRECTORY]
//
// "npm run build" names the package's static files and dist/. The files for pages are kept in the repository, so that
// nobody needs Node to install the package; a test builds them again and compares.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const { values: directories } = parseArgs({ options: { static: { type: "string" }, dist: { type: "string" } } });
const { name, version, license } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
const banner = `/*! ${name} ${version}, ${license}. Built from the directory js: do not edit. */`;
const GLOBAL = "channels";

// A script that works everywhere: AMD, CommonJS, and the global name in pages.
const UMD_HEAD = `(function (root, factory) {
  if (typeof define === "function" && define.amd) define([], factory);
  else if (typeof module === "object" && module.exports) module.exports = factory();
  else root.${GLOBAL} = factory();
})(typeof self !== "undefined" ? self : this, function () {`;

/** Return the source as one script in a format of esbuild's. */
async function bundle(options) {
  const common = { entryPoints: [join(here, "src/index.ts")], bundle: true, write: false, charset: "utf8" };
  const result = await build({ ...common, ...options });
  return result.outputFiles[0].text;
}

/** Return the declarations of all modules as one file: tsc writes one for each. */
function declarations() {
  const directory = mkdtempSync(join(tmpdir(), "declarations-"));
  try {
    const compiler = fileURLToPath(import.meta.resolve("typescript/bin/tsc"));
    const flags = ["--project", here, "--declaration", "--emitDeclarationOnly", "--outDir", directory];
    execFileSync(process.execPath, [compiler, ...flags], { stdio: "inherit" });
    const texts = ["options", "socket", "bridge"].map((each) => readFileSync(join(directory, `${each}.d.ts`), "utf8"));
    return texts.join("").replace(/^import .* from ".*";\n/gm, "");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Write files, by name, into a directory. */
function write(directory, files) {
  mkdirSync(directory, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
}

const classic = await bundle({
  format: "iife",
  globalName: "exports_",
  target: "es2019",
  banner: { js: `${banner}\n${UMD_HEAD}` },
  footer: { js: "return exports_;\n});" },
});
const module_ = await bundle({ format: "esm", target: "es2020", banner: { js: banner } });
const types = `${banner}\n${declarations()}`;

if (directories.static) {
  write(directories.static, {
    "websocketbridge.js": classic,
    "websocketbridge.d.ts": `${types}export as namespace ${GLOBAL};\n`,
    "websocketbridge.esm.js": module_,
    "websocketbridge.esm.d.ts": types,
  });
}
if (directories.dist) {
  write(directories.dist, {
    "index.cjs": classic,
    "index.d.cts": types,
    "index.js": module_,
    "index.d.ts": types,
    LICENSE: readFileSync(join(here, "../LICENSE"), "utf8"),
  });
}
