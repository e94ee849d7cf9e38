// What is used of marked. A token's fields depend on its type, which its own lexer vouches for.
export type Token = any;
export interface TokenizerExtension {
  name: string;
  level: "block" | "inline";
  start?(src: string): number | undefined;
  tokenizer(src: string): { type: string; raw: string; [more: string]: unknown } | undefined;
}
export class Lexer {
  constructor(options?: unknown);
  tokens: Token[] & { links: Record<string, { href: string; title?: string }> };
  lex(src: string): Token[];
}
export class Marked {
  constructor(options?: unknown);
  defaults: unknown;
  use(more: { extensions: TokenizerExtension[] }): this;
}
