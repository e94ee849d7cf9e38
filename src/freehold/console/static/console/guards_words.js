// What guards decide, in words: categories, who decided, what followed, what a policy does. Refuses to ask the server.

import { listed, t } from "../i18n.js";

/** Our categories as people call them. @param {string} name */
export const category = (name) => ({
  harassment: t("Harassment"), harassment_threat: t("Threats"), hate: t("Hate"), hate_threat: t("Hate with threats"),
  illicit: t("Crime"), illicit_violent: t("Violent crime"), weapons: t("Weapons of mass harm"),
  sexual_crime: t("Sexual crime"), self_harm: t("Self-harm"), self_harm_intent: t("Self-harm: intent"),
  self_harm_instructions: t("Self-harm: instructions"), sexual: t("Sexual"), minors: t("Sexual: minors"),
  violence: t("Violence"), violence_graphic: t("Violence in detail"), defamation: t("Defamation"),
  advice: t("Professional advice"), privacy: t("Privacy"), copyright: t("Protected text"),
  copyright_code: t("Published code"), elections: t("Elections"), code_abuse: t("Abuse of machines"),
  profanity: t("Swearing"), jailbreak: t("Jailbreak"), injection: t("Injected instructions"), unnamed: t("Not named"),
  "*": t("everything"),
  EMAIL: t("E-mail address"), PHONE: t("Telephone number"), CARD: t("Payment card"), IBAN: t("Bank account"),
  IP: t("IP address"), NATIONAL_ID: t("National id"), SECRET: t("Key or password"), NAME: t("Name"), PLACE: t("Place"),
})[/** @type {"hate"} */ (name)] ?? name;

/** @param {number} value */
export const severity = (value) => ({ 2: t("low"), 4: t("medium"), 6: t("high") })[/** @type {2} */ (value)] ?? "";

/** Whoever decided, by the first word of their name. @param {string} by */
export function decider(by) {
  const [kind = "", name = ""] = by.split(/:(.*)/);
  return { vendor: t("The vendor"), rules: t("Word lists"), injection: t("Signs of an attack"), privacy: t("Privacy"),
    contract: t("Contract"), deployment: name ? t("Moderator {name}", { name })
      : t("Moderators") }[/** @type {"rules"} */ (kind)] ?? by;
}

/** What followed. @param {string} name */
export const action = (name) => ({ block: t("stopped"), refuse: t("refused"), note: t("noted"), redact: t("redacted"),
  pseudonymise: t("pseudonymised"), own: t("kept to own models"), pass: t("passed on"),
  "pass over": t("passed over") })[/** @type {"note"} */ (name)] ?? name;

/** Whom a policy holds for. @param {any} policy @returns {string[]} */
export function whom(policy) {
  const said = [
    policy.teams.length && t("teams {names}", { names: listed(policy.teams) }),
    policy.keys.length && t("keys {names}", { names: listed(policy.keys) }),
    policy.routes.length && t("models {names}", { names: listed(policy.routes) }),
    policy.functions.length && t("functions {names}", { names: listed(policy.functions) }),
    policy.classes.length && t("data that is {names}", { names: listed(policy.classes) }),
  ].filter(Boolean);
  return said.length ? /** @type {string[]} */ (said) : [t("everybody")];
}

/** @param {Record<string, number>} table */
const thresholds = (table) => listed(Object.entries(table).map(([name, at]) =>
  t("{category} from {severity}", { category: category(name), severity: severity(at) || String(at) })));

/** What a policy does, a sentence each. @param {any} policy @param {string[]} parts @returns {string[]} */
export function does(policy, parts) {
  const said = [];
  if (parts.includes("privacy")) said.push(...privacy(policy.privacy));
  if (parts.includes("moderation")) said.push(...moderation(policy.moderation));
  if (parts.includes("injection")) said.push(policy.injection.action === "block"
    ? t("Attacks on the model are stopped from a score of {score}.", { score: policy.injection.threshold })
    : t("Attacks on the model are noted from a score of {score}.", { score: policy.injection.threshold }));
  if (policy.data_class) said.push(t("Calls are at least {class}.", { class: policy.data_class }));
  if (policy.prefer === "commitments") said.push(t("What is committed to goes first."));
  return said;
}

/** @param {any} said */
function privacy(said) {
  const parts = [
    t("outside: {done}", { done: action(said.outside) }),
    t("on own machines: {done}", { done: action(said.own) }),
    ...Object.entries(said.recipients).map(([name, done]) => t("{name}: {done}", { name, done: action(done) })),
    ...Object.entries(said.by_kind).map(([name, done]) =>
      t("{name}: {done}", { name: category(name), done: action(done) })),
    ...(said.media !== "pass" ? [t("pictures, sound and files: {done}", { done: action(said.media) })] : []),
  ];
  return [t("Personal data and secrets – {parts}.", { parts: parts.join("; ") })];
}

/** @param {any} said */
function moderation(said) {
  const found = [!said.rules ? t("No word lists.") : said.input && said.output
    ? t("Word lists look at questions and answers.") : said.input ? t("Word lists look at questions.")
      : t("Word lists look at answers.")];
  if (said.deployment) found.push(said.when_down === "block"
    ? t("{name} is asked as well; when it does not answer, words are stopped.", { name: said.deployment })
    : t("{name} is asked as well; when it does not answer, words pass.", { name: said.deployment }));
  if (Object.keys(said.block).length) found.push(t("Stopped: {what}.", { what: thresholds(said.block) }));
  else found.push(t("Nothing is stopped, all is noted."));
  return found;
}
