// The shapes of what goes over the wire, for the type checker alone: no page loads this file.

/** @typedef {{id: string, name: string, display: string, role: "owner" | "admin" | "auditor" | "member", team: string | null, settings: Record<string, any>}} Member */
/** @typedef {{id: string, maker: string, seller: string, host: string, region?: string | null, chips?: string | null, contract?: string | null, own: boolean, capabilities: string[] | null, context?: number | null, max_output?: number | null}} Model */
/** @typedef {{id: string, name: string, media: string, bytes: number, tokens: number, pages: number | null, note: string, created_at: number}} File */
/** @typedef {{id: string, name: string, parent: string | null, kind: "project" | "folder", instructions: string, files: File[], created_at: number}} Project */
/** @typedef {{id: string, name: string, description: string, instructions: string, files: File[], tools: string[], models: string[], starters: string[], shared: boolean, own: boolean}} Assistant */
/** @typedef {{name: string, kind: "text" | "choice" | "long", choices: string[], default: string}} Variable */
/** @typedef {{id: string, name: string, text: string, variables: Variable[], shared: boolean, own: boolean}} Prompt */
/** @typedef {{name: string, title: string, kind: string, state: string, error: string, tools: {name: string, description: string, schema: any, allow: string}[]}} ToolServer */
/** @typedef {{models: Model[], conversations: Conversation[], projects: Project[], assistants: Assistant[], tools: ToolServer[]}} Home */
/** @typedef {{member: Member | null, csrf: string, setup: boolean, code: boolean, password: boolean, oidc: {id: string, name: string}[], version: string, home: Home | null}} Session */

/** @typedef {{id: string, title: string, project: string | null, assistant: string | null, leaf: string | null, models: string[], tools: string[], pinned: boolean, archived: boolean, source: string, created_at: number, updated_at: number, running: boolean}} Conversation */
/** @typedef {{type: "text", text: string}} TextPart */
/** @typedef {{type: "reasoning", text: string}} ReasoningPart */
/** @typedef {{type: "file", file: string, name: string, media: string, bytes: number, mode: "whole" | "passages" | "image" | "none", note: string, tokens?: number, data_url?: string | null}} FilePart */
/** @typedef {{type: "tool", id: string, server: string, name: string, arguments: string, state: "asked" | "running" | "done" | "failed" | "refused", result: string}} ToolPart */
/** @typedef {TextPart | ReasoningPart | FilePart | ToolPart} Part */
/** @typedef {{call: string, deployment: string, asked: string, sent: string, answered: string, maker: string, seller: string, host: string, region: string | null, contract: string | null, input: number, output: number, cached: number, reasoning: number, estimated: boolean, cost: string | null, currency: string, first_ms: number | null, total_ms: number | null, dropped: string[], calls: number, note: string, data_class?: string, saw?: string[], retention?: number | null, trains?: string, redactions?: Record<string, number>, verdicts?: {by: string, side: string, category: string, severity: number, action: string, dry: boolean}[]}} Facts */
/** @typedef {"done" | "running" | "waiting" | "stopped" | "failed" | "interrupted" | "queued"} MessageState */
/** @typedef {{id: string, conversation: string, parent: string | null, role: "user" | "assistant" | "system", parts: Part[], state: MessageState, model: string, group: string | null, facts: Facts | null, error: {code: string, message: string} | null, n: number, created_at: number, origin: string, cut: boolean}} Message */

/** What is open: a conversation with its tree, or one that is stored nowhere.
 * @typedef {{id: string, conversation: Conversation | null, messages: Map<string, Message>, queue: Message[], sending: {key: string, text: string, files: File[]}[], temporary: boolean, state: "loading" | "ready" | "missing" | "failed", problem: string, link: "" | "lost", leaf: string | null}} Open */
/** @typedef {{name: "chat" | "share", id: string, project: string, assistant: string, temporary: boolean, message: string}} Route */

export {};
