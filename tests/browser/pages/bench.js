// A page with nothing on it but what a test puts there.
import { Markdown } from "/markdown.js";

window.stolen = 0;
window.make = () => {
  const node = document.createElement("fh-markdown");
  document.querySelector("#place").replaceChildren(node);
  return node;
};
// What stands, without what is drawn later: colours and formulas.
window.plain = (node) => {
  const copy = node.cloneNode(true);
  for (const each of copy.querySelectorAll(".math")) each.textContent = each.querySelector("annotation")?.textContent ?? each.textContent;
  for (const each of copy.querySelectorAll("code")) each.textContent = each.textContent;
  for (const each of copy.querySelectorAll("[data-begun]")) delete each.dataset.begun;
  return copy.innerHTML;
};
window.show = async (text) => {
  const node = window.make();
  node.set(text);
  await node.finish();
  return window.plain(node);
};
window.grow = async (pieces, every) => {
  const node = window.make();
  for (const [at, piece] of pieces.entries()) {
    node.append(piece);
    if (every && at % every === 0) await new Promise((done) => requestAnimationFrame(done));
  }
  await node.finish();
  return window.plain(node);
};
window.ready = Markdown !== undefined;
