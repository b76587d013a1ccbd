// Runs a Python script in Pyodide, under Node:
//   node engine_compile.mjs CORE SCRIPT INFO FROM TO
// CORE is the folder of Pyodide's files, and INFO the "info" of its lock, as JSON. The
// script finds the folders FROM and TO of this machine at /from and /to.
import { readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { pathToFileURL } from "node:url";

const [core, script, info, from, to] = process.argv.slice(2);
try {
  const { loadPyodide } = await import(pathToFileURL(join(core, "pyodide.mjs")).href);
  const python = await loadPyodide({
    indexURL: core + sep,
    stdLibURL: join(core, "python_stdlib.zip"),
    lockFileContents: { info: JSON.parse(info), packages: {} },
    env: { PYTHONHASHSEED: "0" },
  });
  python.mountNodeFS("/from", from);
  python.mountNodeFS("/to", to);
  python.runPython(readFileSync(script, "utf-8"));
} catch (error) {
  // Node would show the line of Pyodide's script, which is a megabyte long.
  console.error(error.message);
  process.exitCode = 1;
}
