// What a socket is told and what it tells: types only.

/** The events of a socket and what their listeners get. */
export interface SocketEvents {
  open: Event;
  message: MessageEvent;
  /** `code` is ETIMEDOUT for an attempt that took too long, EHOSTDOWN when no more attempts are made. */
  error: Event & { code?: string };
  close: CloseEvent;
}

/** How a socket connects again, and what it keeps meanwhile. Times are in milliseconds. */
export interface SocketOptions {
  /** Longest pause between two attempts; 10000 by default. */
  maxReconnectionDelay: number;
  /** Shortest pause: the first is between this and twice this. 1500 by default. */
  minReconnectionDelay: number;
  /** How much longer each pause is than the one before; 1.3 by default. */
  reconnectionDelayGrowFactor: number;
  /** Give up an attempt that is not open after this time; 4000 by default. */
  connectionTimeout: number;
  /** Attempts after a connection is lost; without end by default. */
  maxRetries: number;
  /** How many messages `send` keeps while there is no connection; 0 by default: it throws. */
  queueSize: number;
  /** Connect anew when the page's timers stood still for longer, as in a laptop's sleep; 120000 by default. */
  sleepThreshold: number;
  /** Asked with each close event whether to connect again; yes by default. */
  shouldReconnect: (event: CloseEvent) => boolean;
  /** Write to the console what happens; false by default. */
  debug: boolean;
  /** The class of the socket underneath, one like the browser's WebSocket, which is the default. */
  constructor: Function; // A narrower type would refuse all options without it: objects inherit one.
}

/** How `close` closes. */
export interface CloseOptions {
  /** Do not connect again; false by default. */
  keepClosed?: boolean;
  /** Do not wait for the server's goodbye; true by default. */
  fastClose?: boolean;
  /** Wait this long before connecting again, in milliseconds; by default as after a lost connection. */
  delay?: number;
}

/** What may be sent. */
export type Data = string | ArrayBufferLike | Blob | ArrayBufferView;
