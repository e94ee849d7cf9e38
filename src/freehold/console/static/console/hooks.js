// The hooks that the console uses, and one that preact's own build does not carry. Knows nothing of any screen.

import { useState } from "../vendor/preact.mjs";

export { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact.mjs";

let last = 0;

/** An id that no other element of the page has, the same as long as the component lives. */
export function useId() {
  const [id] = useState(() => `i${(last += 1)}`);
  return id;
}
