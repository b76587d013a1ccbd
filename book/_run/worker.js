// Runs Python beside the page, which stays usable whatever the reader's code does.
//
//   page → worker   {id, op: "start", base, files, adapter}
//                   {id, op: "need", names}
//                   {id, op: "run", request: {space, cells}}
//                   {id, op: "call", request: {function, args}}
//   worker → page   {stream: "stdout" | "stderr", text}
//                   {id, ok: true, answer, cut, memory}
//                   {id, ok: false, error, fatal}
//
// cut is the number of characters that were left out. Any error that leaves a run is
// fatal: the interpreter may be broken, and the page starts another worker.

const MOST = 200_000; // characters that one run may print
const PAUSE = 100; // milliseconds between two messages with output
const NETWORK = [
  ...["fetch", "XMLHttpRequest", "WebSocket", "WebSocketStream", "EventSource"],
  ...["WebTransport", "Worker", "SharedWorker", "importScripts", "caches"],
  ...["indexedDB", "BroadcastChannel", "RTCPeerConnection"],
];

let engine;
const send = self.postMessage.bind(self);
const now = performance.now.bind(performance);

// Output: decoded as a stream, sent in pieces, and cut.
const output = {
  decoders: {},
  waiting: [], // [stream, text] pairs
  sent: 0, // when output was last sent
  length: 0,
  cut: 0,

  reset() {
    this.decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
    this.length = this.cut = 0;
  },

  write(stream, part) {
    this.add(stream, output.decoders[stream].decode(part, { stream: true }));
  },

  add(stream, text) {
    const kept = text.slice(0, MOST - this.length);
    this.length += kept.length;
    this.cut += text.length - kept.length;
    const last = this.waiting.at(-1);
    if (last?.[0] === stream) last[1] += kept;
    else if (kept) this.waiting.push([stream, kept]);
    if (now() - this.sent >= PAUSE) this.flush();
  },

  flush() {
    for (const [stream, text] of this.waiting) send({ stream, text });
    this.waiting = [];
    this.sent = now();
  },

  end() {
    for (const [stream, decoder] of Object.entries(this.decoders)) {
      this.add(stream, decoder.decode());
    }
    this.flush();
  },
};

function forbidNetwork() {
  for (const name of NETWORK) {
    for (let owner = self; owner; owner = Object.getPrototypeOf(owner)) {
      delete owner[name];
    }
  }
}

const operations = {
  async start({ base, files, adapter }) {
    output.reset();
    const { start } = await import(adapter);
    const write = (stream, part) => output.write(stream, part);
    engine = await start({ base, files, write });
    forbidNetwork();
    return {};
  },

  async need({ names }) {
    await engine.need(names);
    return {};
  },

  async call({ request }) {
    return { answer: JSON.parse(engine.call(JSON.stringify(request))) };
  },

  async run({ request }) {
    output.reset();
    try {
      const answer = JSON.parse(engine.run(JSON.stringify(request)));
      return { answer, memory: engine.memory() };
    } finally {
      output.end();
    }
  },
};

self.onmessage = async ({ data }) => {
  const { id, op } = data;
  try {
    const result = await operations[op](data);
    send({ id, ok: true, cut: output.cut, ...result });
  } catch (error) {
    // Firefox puts the whole stack there.
    const [line] = String(error?.message ?? error).split("\n");
    send({ id, ok: false, error: line, fatal: true });
  }
};
