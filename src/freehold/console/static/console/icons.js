// Small pictures as paths on a grid of 20. They say nothing by themselves: a name always stands beside them or on
// the button.

import { html } from "../vendor/preact.mjs";

/** @type {Record<string, string>} */
const PATHS = {
  overview: "M3 17V9m4.7 8V4m4.6 13v-6M17 17V7",
  dependency: "M10 4.5v4m0 0-4.5 4m4.5-4 4.5 4M10 4.5h.01M5 15h1m8 0h1M8.5 3h3v3h-3zM4 12.5h3v3H4zm9 0h3v3h-3z",
  gap: "M3 5h5v10H3zM12 5h5v10h-5zM8 10h1m2 0h1",
  contracts: "M5 3h7l3 3v11H5zM12 3v3h3M7.5 9.5h5M7.5 12h5M8 14.8c1-1.2 1.6.8 2.6-.2",
  settlement: "M10 3v14M6.5 6h7M4 12l2.5-6L9 12zm7 0 2.5-6L16 12zM7 17h6",
  guards: "M10 2.8 16 5v4.7c0 3.7-2.5 6.3-6 7.5-3.5-1.2-6-3.8-6-7.5V5zM10 7v3.5m0 2.5h.01",
  seen: "M2.5 10S5.2 5 10 5s7.5 5 7.5 5-2.7 5-7.5 5-7.5-5-7.5-5zM10 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  deployments: "M4 4.5h12v4H4zm0 7h12v4H4zM7 6.5h.01M7 13.5h.01",
  models: "M10 2.8 16.5 6.4v7.2L10 17.2l-6.5-3.6V6.4zM3.6 6.5 10 10l6.4-3.5M10 10v7",
  keys: "M12.5 11.5a4 4 0 1 0-4-4c0 .5.1 1 .3 1.4L3 14.7V17h2.5l.8-.8v-1.7H8l1.5-1.5v-1l.9-.8c.6.2 1.3.3 2.1.3zM13.6 6.4h.01",
  teams: "M7.5 9.5a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM2.5 16c0-2.6 2.2-4.3 5-4.3s5 1.7 5 4.3M13 4.2a2.7 2.7 0 0 1 0 5.1M14.8 12c1.7.6 2.7 2 2.7 4",
  members: "M10 9.8a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4zM4 17c0-2.9 2.6-4.8 6-4.8s6 1.9 6 4.8",
  ledger: "M5 3h8.5L16 5.5V17H5zM8 8h5M8 11h5M8 14h3",
  audit: "M10 2.8 16 5v4.7c0 3.7-2.5 6.3-6 7.5-3.5-1.2-6-3.8-6-7.5V5zM7.5 9.8l1.9 1.9 3.3-3.5",
  settings: "M3 6h7m4 0h3M3 14h3m4 0h7M12 4v4m-4 4v4",
  chat: "M3.5 4.5h13v9h-7l-3.5 3v-3H3.5z",
  menu: "M3 6h14M3 10h14M3 14h14",
  close: "M5 5l10 10M15 5 5 15",
  more: "M10 4.5h.01M10 10h.01M10 15.5h.01",
  copy: "M7 7h9v9H7zM4 13V4h9",
  check: "M4 10.5l4 4L16 6",
  plus: "M10 4v12M4 10h12",
  up: "M10 15V5M6 9l4-4 4 4",
  down: "M10 5v10M6 11l4 4 4-4",
  filter: "M3 5h14l-5.5 6.5V16l-3 1v-5.5z",
  warn: "M10 3 18 16.5H2zM10 8v4M10 14.2h.01",
};

/** @param {{ name: string }} props */
export function Icon({ name }) {
  return html`<svg class="icon" width="20" height="20" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d=${PATHS[name]} /></svg>`;
}
