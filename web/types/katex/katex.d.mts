// What is used of KaTeX.
declare const katex: {
  render(tex: string, into: HTMLElement, options?: Record<string, unknown>): void;
};
export default katex;
