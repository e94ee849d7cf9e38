// Diagrams that a model wrote as mermaid. They are drawn in a frame of an origin of its own and come back as a picture,
// which can do nothing. Knows that frame; refuses to put what it sends into the page as markup.
import { t } from "/i18n.js";

const SLOWEST = 20_000; // milliseconds for one diagram
const LONGEST = 50_000; // characters of one diagram

/** @typedef {{ svg: string, width: number, height: number }} Picture */
/** @type {HTMLIFrameElement | undefined} */
let frame;
/** @type {Promise<void> | undefined} */
let ready;
/** @type {Map<number, (answer: any) => void>} */
const asked = new Map();
let count = 0;

function open() {
  ready ??= new Promise((resolve, reject) => {
    const made = document.createElement("iframe");
    frame = made;
    made.setAttribute("sandbox", "allow-scripts");
    made.className = "diagram-frame";
    made.title = t("Draws diagrams");
    made.tabIndex = -1;
    made.setAttribute("aria-hidden", "true");
    addEventListener("message", ({ source, data }) => {
      if (source !== made.contentWindow || typeof data !== "object" || data === null) return;
      if (data.ready) resolve();
      asked.get(data.id)?.(data);
      asked.delete(data.id);
    });
    made.addEventListener("error", () => reject(new Error("no frame")));
    made.src = "/frame/mermaid.html";
    document.body.append(made);
    setTimeout(() => reject(new Error("no frame")), SLOWEST);
  });
  return ready;
}

/** Draw one diagram. Rejects with what is wrong with it.
 * @param {string} text @param {boolean} dark @returns {Promise<Picture>} */
export async function picture(text, dark) {
  if (text.length > LONGEST) throw new Error(t("This diagram is too long to be drawn."));
  try {
    await open();
  } catch {
    ready = undefined;
    frame?.remove();
    throw new Error(t("The diagram could not be drawn here."));
  }
  const id = ++count;
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      asked.delete(id);
      reject(new Error(t("Drawing this diagram took too long.")));
    }, SLOWEST);
    asked.set(id, (answer) => {
      clearTimeout(late);
      const { svg, width, height, error } = answer;
      if (typeof svg === "string" && Number(width) > 0 && Number(height) > 0) resolve({ svg, width: Number(width), height: Number(height) });
      else reject(new Error(String(error ?? "").slice(0, 500) || t("The diagram could not be drawn here.")));
    });
    frame?.contentWindow?.postMessage({ id, text, dark }, "*");
  });
}

/** Whether the page is dark now. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** A drawn diagram as an element. @param {Picture} drawn @param {string} text */
export function imageOf({ svg, width, height }, text) {
  const image = document.createElement("img");
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  image.width = Math.ceil(width);
  image.height = Math.ceil(height);
  image.alt = t("Diagram: {source}", { source: text.trim().slice(0, 300) });
  return image;
}

/** Draws above a block of code what the code says, and folds the code away; what is wrong is said below the code.
 * @param {HTMLElement} block a figure with the source in it @param {string} text */
export function drawDiagram(block, text) {
  const box = document.createElement("div");
  box.className = "diagram";
  box.dataset.state = "drawing";
  box.textContent = t("Drawing …");
  block.append(box);
  const draw = async () => {
    try {
      const image = imageOf(await picture(text, isDark()), text);
      box.replaceChildren(image);
      box.dataset.state = "drawn";
      block.classList.add("drawn");
    } catch (e) {
      box.dataset.state = "failed";
      const said = e instanceof Error ? e.message : String(e);
      box.textContent = t("This diagram has a fault: {fault}", { fault: said });
      block.classList.remove("drawn");
    }
  };
  void draw();
  const source = document.createElement("button");
  source.type = "button";
  source.className = "code-source";
  source.textContent = t("Source");
  source.setAttribute("aria-pressed", "false");
  source.addEventListener("click", () => source.setAttribute("aria-pressed", String(block.classList.toggle("sourced"))));
  block.querySelector(".code-tools")?.prepend(source);
  redrawn.add(new WeakRef(box));
  draws.set(box, draw);
  watchTheme();
}

/** @type {Set<WeakRef<HTMLElement>>} */
const redrawn = new Set();
/** @type {WeakMap<HTMLElement, () => Promise<void>>} */
const draws = new WeakMap();
let watched = false;

function watchTheme() {
  if (watched) return;
  watched = true;
  let dark = isDark();
  const changed = () => {
    if (isDark() === dark) return;
    dark = isDark();
    for (const each of redrawn) {
      const box = each.deref();
      if (box?.isConnected) void draws.get(box)?.();
      else if (!box) redrawn.delete(each);
    }
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}
