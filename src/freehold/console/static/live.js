// Pieces of answers on their way to the screen: gathered, and given once a frame to whoever shows that part. Refuses to know what that is.

/** @typedef {(text: string) => void} Sink what shows a part; its `own` says that it gathers by itself what it is given
 * @type {Map<string, Sink & {own?: () => boolean}>} */
const sinks = new Map();
/** @type {Map<string, string>} */
const waiting = new Map();
let asked = false;

/** Shows what comes for a part of a message, until the returned function is called.
 * @param {string} message @param {number} part @param {Sink} sink @param {() => boolean} [own] */
export function watch(message, part, sink, own) {
  const key = `${message}:${part}`;
  waiting.delete(key); // the part was read whole a moment ago
  sinks.set(key, Object.assign(sink, { own }));
  return () => {
    if (sinks.get(key) === sink) sinks.delete(key);
  };
}

/** @param {string} message @param {number} part @param {string} text */
export function grow(message, part, text) {
  const key = `${message}:${part}`;
  const sink = sinks.get(key);
  if (!sink) return; // whoever shows it later reads the whole of it
  if (sink.own?.() && !waiting.has(key)) return sink(text);
  waiting.set(key, (waiting.get(key) ?? "") + text);
  if (asked) return;
  asked = true;
  requestAnimationFrame(flush);
}

function flush() {
  asked = false;
  const all = [...waiting];
  waiting.clear();
  for (const [key, text] of all) sinks.get(key)?.(text);
}

/** Forgets what waits for a message that is now there whole. @param {string} message */
export function drop(message) {
  for (const key of waiting.keys()) if (key.startsWith(`${message}:`)) waiting.delete(key);
}
