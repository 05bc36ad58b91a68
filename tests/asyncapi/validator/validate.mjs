// Judges documents by the official schema and the rules that go with it, and prints what it found as JSON:
//
//     node validate.mjs DOCUMENT...
//
// Severities: 0 is an error, 1 a warning, 2 an information, 3 a hint.
import { readFileSync } from "node:fs";

import { Parser } from "@asyncapi/parser";

const found = {};
const parser = new Parser();
for (const file of process.argv.slice(2)) {
  const { document, diagnostics } = await parser.parse(readFileSync(file, "utf8"));
  found[file] = {
    version: document?.version() ?? null,
    channels: document?.channels().all().map((channel) => channel.address()) ?? [],
    diagnostics: diagnostics.map(({ severity, code, path, message }) => ({ severity, code, path: path.join("/"), message })),
  };
}
console.log(JSON.stringify(found));
