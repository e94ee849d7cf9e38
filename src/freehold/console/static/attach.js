// Sends files to the server as they are added. Knows progress and refusals; refuses to know what they are for.

import { DoorError, refusal, session } from "./door.js";
import { t } from "./i18n.js";

const LARGEST = 32 * 1024 * 1024; // bytes: what the server reads at most

let count = 0;

/** Adds a file to the list and sends it. @param {import("./composer.js").Attached[]} list @param {globalThis.File} file @param {() => void} show */
export function attach(list, file, show) {
  const picture = /^image\/(png|jpeg|gif|webp)$/.test(file.type) ? URL.createObjectURL(file) : "";
  const name = file.name || t("Pasted image");
  /** @type {import("./composer.js").Attached} */
  const one = { key: `a${++count}`, name, media: file.type, bytes: file.size, done: 0, file: null, problem: "", picture };
  list.push(one);
  if (file.size > LARGEST) {
    one.problem = t("Too large: 32 MB is the most");
    return show();
  }
  const sending = send(file, name, (done) => {
    one.done = done;
    show();
  });
  one.stop = sending.stop;
  sending.answer.then(
    (kept) => Object.assign(one, { file: kept, media: kept.media, done: 1 }),
    (error) => (one.problem = error.message),
  ).finally(show);
}

/** XMLHttpRequest, for it alone tells how far an upload is.
 * @param {globalThis.File} file @param {string} name @param {(share: number) => void} progress
 * @returns {{answer: Promise<import("./types.js").File>, stop: () => void}} */
function send(file, name, progress) {
  const request = new XMLHttpRequest();
  /** @type {Promise<import("./types.js").File>} */
  const answer = new Promise((resolve, reject) => {
    request.open("POST", `/api/files?name=${encodeURIComponent(name)}`);
    request.setRequestHeader("content-type", file.type || "application/octet-stream");
    request.setRequestHeader("x-freehold-csrf", session.csrf);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = async () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText));
      reject(await refusal({ status: request.status, json: async () => JSON.parse(request.responseText) }));
    };
    request.onerror = () => reject(new DoorError(t("The file did not arrive. Check the connection, then add it again."), 0, "unreachable"));
    request.send(file);
  });
  return { answer, stop: () => request.abort() };
}
