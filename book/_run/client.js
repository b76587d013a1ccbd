// The page's side of the worker: starts it, asks it, and replaces it.

const PATIENCE = 180_000; // milliseconds for Python to start
const TOO_MUCH = 700e6; // bytes of memory after which a new worker starts
const POLICY =
  "connect-src 'self'; worker-src 'self' blob:; " +
  "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' blob:";

// Code in the page reaches no other host from here on. A worker takes over the policy
// only if it is started from a blob.
let hasPolicy = false;
function setPolicy() {
  if (hasPolicy) return;
  hasPolicy = true;
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = POLICY;
  document.head.append(policy);
}

function startFrom(address) {
  const source = `import ${JSON.stringify(address)};`;
  const blob = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(blob, { type: "module" });
  worker.addEventListener("message", () => URL.revokeObjectURL(blob), { once: true });
  return worker;
}

function checkWebAssembly() {
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  } catch {
    // Pyodide would wait for ever.
    throw new Error("this server forbids WebAssembly");
  }
}

export class Stopped extends Error {}

export class Engine {
  // base: the engine's folder; own(name): the address of one of our files.
  constructor(base, own) {
    this.base = base;
    this.own = own;
    this.lives = 0; // how many workers there have been
    this.listener = () => {};
    this.forget();
  }

  forget() {
    this.worker = this.started = null;
    this.isReady = false;
    this.asked = new Map();
    this.last = 0;
    this.ran = new Set(); // what has run, or is loaded, in this Python
  }

  // Start Python, unless it is there or on its way.
  start() {
    this.started ??= this.wake().catch((error) => {
      this.end(error);
      throw error;
    });
    this.started.catch(() => {}); // whoever waits for it hears of it
    return this.started;
  }

  async wake() {
    checkWebAssembly();
    setPolicy();
    this.lives += 1;
    const worker = (this.worker = startFrom(this.own("worker.js")));
    worker.onmessage = ({ data }) => this.hear(worker, data);
    worker.onerror = () => this.end(new Error("the worker could not be started"));
    const limit = setTimeout(
      () => this.end(new Error("it has not answered for three minutes")),
      PATIENCE,
    );
    const zips = ["attnlib.zip", "results.zip", "weights.zip"];
    const [attnlib, results, weights] = zips.map(this.own);
    const files = { attnlib, results, weights, kernel: this.own("kernel.py") };
    const adapter = this.own("pyodide_adapter.js");
    try {
      await this.ask({ op: "start", base: this.base, files, adapter });
    } finally {
      clearTimeout(limit);
    }
    this.isReady = true;
  }

  ask(message) {
    const id = (this.last += 1);
    return new Promise((resolve, reject) => {
      this.asked.set(id, { resolve, reject });
      this.worker.postMessage({ id, ...message });
    });
  }

  hear(worker, data) {
    if (worker !== this.worker) return;
    if (data.stream) {
      this.listener(data);
      return;
    }
    if (!data.ok) {
      this.end(new Error(data.error)); // which answers whoever has asked
      return;
    }
    this.asked.get(data.id)?.resolve(data);
    this.asked.delete(data.id);
  }

  // Load what cells need beside NumPy, such as Matplotlib.
  async need(names) {
    const missing = names.filter((name) => !this.ran.has(name));
    if (missing.length) await this.order({ op: "need", names: missing });
    missing.forEach((name) => this.ran.add(name));
  }

  // Run cells; listener({stream, text}) hears what they print. Resolves to the worker's
  // answer.
  run(request, listener) {
    this.listener = listener;
    return this.order({ op: "run", request });
  }

  // Ask the worker, once there is one. Rejects if it has ended, in which case another is
  // on its way.
  async order(message) {
    await this.start();
    try {
      return await this.ask(message);
    } catch (error) {
      this.start();
      throw error;
    }
  }

  // After a run: memory never shrinks, so a worker with too much of it is replaced.
  renewIf(memory) {
    if (memory < TOO_MUCH) return false;
    this.end(new Stopped());
    this.start();
    return true;
  }

  stop() {
    this.end(new Stopped());
    this.start();
  }

  end(error) {
    const { worker, asked } = this;
    this.forget();
    worker?.terminate();
    for (const { reject } of asked.values()) reject(error);
  }
}
