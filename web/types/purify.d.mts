// What is used of DOMPurify.
export interface Config {
  ALLOWED_TAGS?: string[];
  ALLOWED_ATTR?: string[];
  ALLOW_DATA_ATTR?: boolean;
  ALLOW_ARIA_ATTR?: boolean;
  ALLOWED_URI_REGEXP?: RegExp;
}
declare const DOMPurify: {
  sanitize(html: string, rules: Config & { RETURN_DOM_FRAGMENT: true }): DocumentFragment | null;
};
export default DOMPurify;
