// Bundles the editor, and writes what is in it:
//   cd tools/editor && npm ci && npm run build
// The results are committed, so nobody needs Node to build the book:
//   book/_run/editor.js             the bundle
//   book/_run/editor.licenses.txt   the license of each package in it
//   bundle.json                     the hashes and versions, which a test compares
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, version } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const RUN = join(HERE, "..", "..", "book", "_run");
const MADE_FROM = ["build.mjs", "editor.mjs", "highlight.mjs", "package-lock.json"];
const BANNER =
  "// CodeMirror 6 and its parts, under the MIT license: see editor.licenses.txt.\n" +
  "// Made from tools/editor by its build.mjs: do not edit.";

const read = (...names) => readFileSync(join(HERE, ...names), "utf-8");
const hash = (content) => createHash("sha256").update(content).digest("hex");

async function bundle() {
  const result = await build({
    absWorkingDir: HERE,
    entryPoints: ["editor.mjs"],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2020",
    legalComments: "none",
    banner: { js: BANNER },
    metafile: true,
    write: false,
  });
  const [{ inputs }] = Object.values(result.metafile.outputs);
  const used = Object.keys(inputs).filter((path) => inputs[path].bytesInOutput > 0);
  return { content: result.outputFiles[0].contents, used };
}

// The packages that some of those files belong to.
function packagesOf(paths) {
  const inside = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//;
  const names = new Set(paths.map((path) => inside.exec(path)?.[1]).filter(Boolean));
  return [...names].sort().map((name) => {
    const { version, license } = JSON.parse(read("node_modules", name, "package.json"));
    return { name, version, license };
  });
}

function licenses(packages) {
  const texts = packages.map(({ name, version, license }) => {
    const text = read("node_modules", name, "LICENSE").trim().replace(/\r\n/g, "\n");
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return texts.join(`\n${"-".repeat(72)}\n\n`);
}

const { content, used } = await bundle();
const packages = packagesOf(used);
const record = {
  sha256: hash(content),
  bytes: content.length,
  esbuild: version,
  packages,
  made_from: Object.fromEntries(MADE_FROM.map((name) => [name, hash(read(name))])),
};
writeFileSync(join(RUN, "editor.js"), content);
writeFileSync(join(RUN, "editor.licenses.txt"), licenses(packages));
writeFileSync(join(HERE, "bundle.json"), `${JSON.stringify(record, null, 2)}\n`);
console.log(`${content.length} bytes, ${packages.length} packages`);
