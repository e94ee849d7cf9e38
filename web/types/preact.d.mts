// What is used of htm's build with preact and its hooks in it.
export type Key = string | number;
export interface VNode {
  type: unknown;
  props: Record<string, unknown>;
}
export type Child = VNode | string | number | boolean | null | undefined | readonly Child[];
export type Setter<S> = (next: S | ((before: S) => S)) => void;
export interface Ref<T> {
  current: T;
}
export interface Context<T> {
  Provider: (props: { value: T; children?: Child }) => VNode;
  Consumer: (props: { children: (value: T) => Child }) => VNode;
}
export function h(type: unknown, props?: object | null, ...children: Child[]): VNode;
export function html(strings: TemplateStringsArray, ...values: unknown[]): VNode;
export function render(what: Child, into: Element | DocumentFragment): void;
export class Component<P = Record<string, unknown>, S = Record<string, unknown>> {
  constructor(props?: P, context?: unknown);
  props: P;
  state: S;
  base?: Element;
  setState(change: Partial<S> | ((before: S, props: P) => Partial<S> | null), then?: () => void): void;
  forceUpdate(then?: () => void): void;
  render(props?: P, state?: S): Child;
  componentDidMount?(): void;
  componentWillUnmount?(): void;
  componentDidUpdate?(props: P, state: S): void;
  shouldComponentUpdate?(props: P, state: S): boolean;
  componentDidCatch?(fault: unknown): void;
}
export function createContext<T>(initial: T): Context<T>;
export function useState<S>(initial: S | (() => S)): [S, Setter<S>];
export function useState<S = undefined>(): [S | undefined, Setter<S | undefined>];
export function useReducer<S, A>(reduce: (state: S, action: A) => S, initial: S): [S, (action: A) => void];
export function useEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useLayoutEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useRef<T>(initial: T): Ref<T>;
export function useRef<T>(initial: T | null): Ref<T | null>;
export function useRef<T = undefined>(): Ref<T | undefined>;
export function useImperativeHandle<T>(ref: Ref<T>, make: () => T, inputs?: readonly unknown[]): void;
export function useMemo<T>(make: () => T, inputs: readonly unknown[]): T;
export function useCallback<T extends (...given: any[]) => any>(callback: T, inputs: readonly unknown[]): T;
export function useContext<T>(context: Context<T>): T;
export function useDebugValue<T>(value: T): void;
export function useErrorBoundary(tell?: (fault: any) => void): [any, () => void];
