// Pieces of answers on their way to the screen: gathered, and given once a frame to whoever shows that part. Refuses to know what that is.

/** @type {Map<string, (text: string) => void>} */
const sinks = new Map();
/** @type {Map<string, string>} */
const waiting = new Map();
let asked = false;

/** Shows what comes for a part of a message, until the returned function is called.
 * @param {string} message @param {number} part @param {(text: string) => void} sink */
export function watch(message, part, sink) {
  const key = `${message}:${part}`;
  waiting.delete(key); // the part was read whole a moment ago
  sinks.set(key, sink);
  return () => {
    if (sinks.get(key) === sink) sinks.delete(key);
  };
}

/** @param {string} message @param {number} part @param {string} text */
export function grow(message, part, text) {
  const key = `${message}:${part}`;
  if (!sinks.has(key)) return; // whoever shows it later reads the whole of it
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
