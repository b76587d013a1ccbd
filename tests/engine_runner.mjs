// Runs a Python script in the engine, as the page does, but under Node:
//   node engine_runner.mjs ENGINE SCRIPT [ARCHIVE…]
// The archives are unpacked to where Python looks for packages. What the script prints
// and raises goes to standard output and standard error; other files of its folder are
// beside it.
import { readFileSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { pathToFileURL } from "node:url";

const [engine, script, ...archives] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(join(engine, "pyodide.mjs")).href);
const python = await loadPyodide({
  indexURL: engine + sep,
  stdLibURL: join(engine, "std.zip"),
  env: { MPLBACKEND: "agg", MISTAKES: process.env.MISTAKES ?? "" },
});
const packages = python.runPython("import site; site.getsitepackages()[0]");
for (const path of archives) {
  // A Buffer of Node is refused.
  const bytes = new Uint8Array(readFileSync(path));
  python.unpackArchive(bytes, "zip", { extractDir: packages });
}
python.mountNodeFS("/script", dirname(script));
try {
  python.runPython(`
import runpy, sys
sys.path.insert(0, "/script")
runpy.run_path("/script/${basename(script)}", run_name="__main__")
`);
} catch (error) {
  // Node would show the line of Pyodide's script, which is a megabyte long.
  console.error(error.message);
  process.exitCode = 1;
}
