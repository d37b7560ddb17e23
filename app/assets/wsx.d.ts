// Types of wsx.js, for editors and for `tsc`: /// <reference path="wsx.d.ts" />, or beside the sources of a page.

/** How HTML enters the page; words such as `scroll:bottom` may follow. */
type WSXSwapStyle =
  | "innerHTML" | "outerHTML" | "beforebegin" | "afterbegin" | "beforeend" | "afterend" | "delete" | "none" | "textContent" | "morph";
type WSXSwap = WSXSwapStyle | `${WSXSwapStyle} ${string}`;

interface WSXConfig {
  /** Of the socket; default `/ws`. */
  url?: string;
  /** Log every message. */
  debug?: boolean;
  /** Say every minute that somebody is there, and come back after 4408: for wall displays. */
  keepAlive?: boolean;
  /** How long a request waits for its answer, from when it is sent; default 30,000. */
  timeoutMs?: number;
  /** What is longer is not sent; default: what the server says, `WSX_MAX_MESSAGE_BYTES`. */
  maxMessageBytes?: number;
}

interface WSXRequest {
  id: string;
  handler: string;
  target: string;
  trigger: string;
  data: Record<string, unknown>;
  swap: string;
}

interface WSXUpdate {
  target: string;
  html: string;
  swap?: string;
}

/** What the server answers, or broadcasts. */
interface WSXMessage extends Partial<WSXUpdate> {
  id?: string;
  cursor?: string;
  oob?: WSXUpdate[];
  type?: "batch";
  updates?: WSXUpdate[];
}

interface WSXErrorDetail {
  code: string;
  detail: string;
  /** Of the request, if it was one's. */
  id?: string;
  target?: string;
}

/** What `wsx.send` and `wsx.trigger` reject with. */
interface WSXError extends Error, Partial<WSXErrorDetail> {}

interface WSXSwapDetail {
  target: string;
  /** May be changed in `wsx:beforeSwap`. */
  html: string;
  swap: WSXSwapStyle;
  element: Element;
  message: WSXMessage;
  update: WSXUpdate;
  isOOB: boolean;
}

interface WSXEventMap {
  "wsx:connected": CustomEvent<{ url: string }>;
  "wsx:disconnected": CustomEvent<{ code: number; reason: string; willReconnect: boolean }>;
  "wsx:hello": CustomEvent<{ type: "hello"; connection: string; session: string; cursor: string; resumed: boolean; max_message_bytes: number }>;
  "wsx:gap": CustomEvent<{ type: "gap"; cursor: string; targets: string[] }>;
  "wsx:drain": CustomEvent<{ type: "drain"; retry_in_ms: number }>;
  "wsx:beforeRequest": CustomEvent<{ request: WSXRequest; element: Element | null }>;
  "wsx:beforeSwap": CustomEvent<WSXSwapDetail>;
  "wsx:afterSwap": CustomEvent<WSXSwapDetail>;
  "wsx:error": CustomEvent<WSXErrorDetail>;
}

type WSXListener = (event: Event, element: Element) => void;

declare class WSX {
  constructor(config?: WSXConfig);
  /** Gives a listener the name by which `wx-on-…` calls it. */
  static on(name: string, listener: WSXListener): void;
  on(name: string, listener: WSXListener): void;
  /** The server's id of this connection; null while there is none. */
  readonly connectionId: string | null;
  /** Resolves with the answer when it was swapped in; rejects with a WSXError. `where` as a text is the target. */
  send(handler: string, data?: Record<string, unknown>, where?: string | { target?: string; swap?: WSXSwap }): Promise<WSXMessage>;
  /** Asks as the element with `wx-send` would, with more data. */
  trigger(element: string | Element, data?: Record<string, unknown>): Promise<WSXMessage>;
  connect(): void;
  disconnect(): void;
  reconnect(): void;
  isConnected(): boolean;
}

interface Window {
  WSX: typeof WSX;
  /** The one that `wx-config` started. */
  wsx: WSX;
}
declare var wsx: WSX;

interface DocumentEventMap extends WSXEventMap {}
interface HTMLElementEventMap extends WSXEventMap {}
