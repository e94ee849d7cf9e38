// The addresses of our own scripts, for a browser that asks who vouches for them. Knows no other.

const OWN = new Set(["/colour.js", "/sw.js"]);
/** @type {{ createScriptURL(url: string): unknown } | undefined} */
let policy;

/** @param {string} url one of our own scripts @returns {unknown} what a Worker or a registration takes */
export function trusted(url) {
  if (!OWN.has(url)) throw new TypeError(`${url} is no script of ours`);
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (!types) return url;
  policy ??= types.createPolicy("freehold", {
    createScriptURL: (/** @type {string} */ wanted) => {
      if (!OWN.has(wanted)) throw new TypeError(`${wanted} is no script of ours`);
      return wanted;
    },
  });
  return policy?.createScriptURL(url);
}
