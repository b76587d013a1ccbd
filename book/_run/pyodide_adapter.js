// Pyodide behind the small interface that the worker uses. Another engine would be one
// other file like this:
//
//   start({base, files, write}) → {run(json) → json, call(json) → json,
//                                  need(names) → Promise, memory()}
//
// base is the engine's folder, and files holds the addresses of attnlib, the kernel, and
// what cells may need beside the engine's own archives.
// write(stream, bytes) gets what Python prints. All addresses are absolute, because the
// worker's own is that of a blob.

const MEMORY = 2 ** 30; // bytes that Python may use; beyond, it raises MemoryError
const PAGE = 65536;
const get = self.fetch.bind(self); // the worker deletes it, and only this stays

async function bytes(address) {
  const answer = await get(address);
  if (!answer.ok) throw new Error(`${address} could not be loaded (${answer.status})`);
  return new Uint8Array(await answer.arrayBuffer());
}

function capMemory() {
  const grow = WebAssembly.Memory.prototype.grow;
  WebAssembly.Memory.prototype.grow = function (pages) {
    if (this.buffer.byteLength + pages * PAGE > MEMORY) {
      throw new RangeError("the page's Python may use one gibibyte");
    }
    return grow.call(this, pages);
  };
}

function passOn(python, write) {
  for (const [name, set] of [
    ["stdout", python.setStdout],
    ["stderr", python.setStderr],
  ]) {
    set({
      isatty: false,
      write(part) {
        write(name, part);
        return part.length;
      },
    });
  }
  python.runPython(`
import sys
for _stream in (sys.stdout, sys.stderr):
    _stream.reconfigure(line_buffering=True, errors="backslashreplace")
`);
}

export async function start({ base, files, write }) {
  capMemory();
  const parts = [base + "numpy.zip", files.attnlib, files.kernel].map(bytes);
  const { loadPyodide } = await import(base + "pyodide.mjs");
  const python = await loadPyodide({
    indexURL: base,
    stdLibURL: base + "std.zip",
    env: { MPLBACKEND: "agg" },
  });
  const packages = python.runPython("import site; site.getsitepackages()[0]");
  const unpack = (zip) => python.unpackArchive(zip, "zip", { extractDir: packages });
  const [numpy, attnlib, kernel] = await Promise.all(parts);
  unpack(numpy);
  unpack(attnlib);
  python.FS.writeFile(`${packages}/page_kernel.py`, kernel);
  passOn(python, write);
  const memory = python._module.HEAP8;
  const { run, call } = python.pyimport("page_kernel");
  const flush = python.runPython("sys.stdout.flush");
  const there = new Map();

  async function need(name) {
    const address = files[name] ?? `${base}${name}.zip`;
    if (!there.has(name)) there.set(name, bytes(address).then(unpack));
    await there.get(name);
  }

  return {
    run(json) {
      const answer = run(json);
      flush();
      return answer;
    },
    call,
    need: (names) => Promise.all(names.map(need)),
    memory: () => (python._module.HEAP8 ?? memory).length,
  };
}
