// A WebSocket that connects again. Streams and JSON are the bridge's business.

import type { CloseOptions, Data, SocketEvents, SocketOptions } from "./options";
import { pauseBefore } from "./pauses";
import { report } from "./report";
import { watchWake } from "./wake";
import type { Watch } from "./wake";

type Listener<E> = ((event: E) => void) | { handleEvent(event: E): void };
type Listeners = { [T in keyof SocketEvents]: Set<Listener<SocketEvents[T]>> };

const DEFAULTS: Omit<SocketOptions, "constructor"> = {
  maxReconnectionDelay: 10_000,
  minReconnectionDelay: 1_500,
  reconnectionDelayGrowFactor: 1.3,
  connectionTimeout: 4_000,
  maxRetries: Infinity,
  queueSize: 0,
  sleepThreshold: 120_000,
  shouldReconnect: () => true,
  debug: false,
};
const CLOSED = 3;

/** A WebSocket that connects again when it is lost; listeners stay. */
export class ReconnectingWebSocket {
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = CLOSED;

  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: SocketEvents["error"]) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  /** The address. */
  readonly url: string;

  private readonly protocols: string | string[] | undefined;
  private readonly options: SocketOptions;
  private readonly listeners: Listeners = { open: new Set(), message: new Set(), error: new Set(), close: new Set() };
  private readonly queue: Data[] = [];
  private readonly watch: Watch;
  private native: WebSocket | null = null;
  private binary: BinaryType = "blob";
  private failures = 0;
  private isStopped = false;
  private nextPause: number | null = null;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private timeoutTimer: ReturnType<typeof setTimeout> | undefined;

  /** Connect at once; see `SocketOptions` for the options. */
  constructor(url: string, protocols?: string | string[], options: Partial<SocketOptions> = {}) {
    // Every object inherits a property "constructor".
    const own = Object.prototype.hasOwnProperty.call(options, "constructor") ? options.constructor : undefined;
    const constructor = (own ?? globalThis.WebSocket) as typeof WebSocket | undefined;
    if (typeof constructor !== "function") {
      throw new TypeError('There is no WebSocket here: pass a class as the option "constructor".');
    }
    this.url = url;
    this.protocols = protocols;
    this.options = { ...DEFAULTS, ...options, constructor };
    this.connect(); // First: it refuses bad addresses, and then nothing is to be watched.
    this.watch = watchWake(this.options.sleepThreshold, (isSuspect) => this.wake(isSuspect));
  }

  /** The state of the connection there is now: CONNECTING, OPEN, CLOSING or CLOSED. */
  get readyState(): number {
    return this.native?.readyState ?? CLOSED;
  }

  /** The subprotocol that the server chose. */
  get protocol(): string {
    return this.native?.protocol ?? "";
  }

  /** The extensions that the server chose. */
  get extensions(): string {
    return this.native?.extensions ?? "";
  }

  /** Bytes that the browser has not sent yet; queued messages are not counted. */
  get bufferedAmount(): number {
    return this.native?.bufferedAmount ?? 0;
  }

  /** How many messages wait for a connection. */
  get queued(): number {
    return this.queue.length;
  }

  /** What binary messages arrive as, on every connection to come too. */
  get binaryType(): BinaryType {
    return this.binary;
  }

  set binaryType(type: BinaryType) {
    this.binary = type;
    if (this.native) this.native.binaryType = type;
  }

  /** Call a listener with every event of a type, across connections. */
  addEventListener<T extends keyof SocketEvents>(type: T, listener: Listener<SocketEvents[T]>): void {
    this.listeners[type]?.add(listener);
  }

  /** Call a listener no more. */
  removeEventListener<T extends keyof SocketEvents>(type: T, listener: Listener<SocketEvents[T]>): void {
    this.listeners[type]?.delete(listener);
  }

  /**
   * Send a message, or keep it until there is a connection (option `queueSize`).
   *
   * @throws DOMException InvalidStateError: there is no connection, and no room to keep the message.
   */
  send(data: Data): void {
    if (!this.isStopped) this.watch.look(); // After a sleep a connection looks open that is not: what it takes is lost.
    if (this.native && this.readyState === this.OPEN) return this.native.send(data as string);
    if (this.isStopped) throw this.refusal("it was closed for good");
    if (this.options.queueSize === 0) {
      throw this.refusal('it is not open; the option "queueSize" keeps messages until it is');
    }
    if (this.queue.length >= this.options.queueSize) {
      throw this.refusal(`it is not open and ${this.queue.length} messages wait for it already`);
    }
    this.queue.push(data);
  }

  /** Close the connection. Another follows, unless `keepClosed` is set. */
  close(code = 1000, reason = "", { keepClosed = false, fastClose = true, delay = 0 }: CloseOptions = {}): void {
    const native = this.native;
    native?.close(code, reason); // First: it refuses bad codes.
    if (keepClosed) this.stop();
    if (delay > 0) this.nextPause = delay;
    if (native && fastClose) this.lose(closeEvent(code, reason, true));
    else if (!native && !this.isStopped && delay > 0) this.retryLater();
  }

  /** Connect anew at once, whatever the state of the connection. */
  reconnect(): void {
    if (this.isStopped) return;
    this.nextPause = 0;
    const native = this.native;
    if (!native) return this.retryLater();
    this.lose(closeEvent(1006, "connecting anew", false));
    native.close();
  }

  private connect(): void {
    this.log("connecting to", this.url);
    const native = new (this.options.constructor as typeof WebSocket)(this.url, this.protocols);
    this.native = native;
    native.binaryType = this.binary;
    native.onopen = (event) => this.opened(event);
    native.onmessage = (event) => this.emit("message", event);
    native.onerror = (event) => this.emit("error", event);
    native.onclose = (event) => this.lose(event);
    this.timeoutTimer = setTimeout(() => this.expire(native), this.options.connectionTimeout);
  }

  private opened(event: Event): void {
    this.log("open");
    clearTimeout(this.timeoutTimer);
    this.failures = 0;
    this.emit("open", event);
    // A listener may have closed it again: what is left then waits for the next connection.
    while (this.queue.length && this.readyState === this.OPEN) this.native?.send(this.queue.shift() as string);
  }

  private expire(native: WebSocket): void {
    this.emit("error", errorEvent("ETIMEDOUT"));
    if (this.native !== native) return; // A listener closed it.
    this.lose(closeEvent(1006, "connecting took too long", false));
    native.close();
  }

  /** Forget the connection, tell the listeners, and connect again later if that is wanted. */
  private lose(event: CloseEvent): void {
    this.log("closed", event.code, event.reason);
    clearTimeout(this.timeoutTimer);
    if (this.native) {
      this.native.onopen = this.native.onmessage = this.native.onerror = this.native.onclose = null;
      this.native = null;
    }
    if (!this.isStopped && !this.options.shouldReconnect(event)) this.stop();
    this.emit("close", event);
    // A listener may have decided by itself.
    if (!this.isStopped && !this.native && this.retryTimer === undefined) this.retryLater();
  }

  private retryLater(): void {
    clearTimeout(this.retryTimer);
    if (this.failures >= this.options.maxRetries) {
      this.stop();
      this.emit("error", errorEvent("EHOSTDOWN"));
      return;
    }
    const pause = this.nextPause ?? pauseBefore(this.failures, this.options);
    this.nextPause = null;
    this.log("connecting again in", pause, "ms");
    this.retryTimer = setTimeout(() => this.retry(), pause);
  }

  private retry(): void {
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    this.failures += 1;
    this.connect();
  }

  private wake(isSuspect: boolean): void {
    this.log("awake", isSuspect ? "after a sleep, or on another network" : "");
    if (!this.native) this.retry(); // Somebody looks at the page, or the network is back: no use in waiting.
    else if (isSuspect) this.reconnect();
  }

  private stop(): void {
    this.isStopped = true;
    clearTimeout(this.retryTimer);
    clearTimeout(this.timeoutTimer);
    this.watch.stop();
  }

  private emit<T extends keyof SocketEvents>(type: T, event: SocketEvents[T]): void {
    const handler = this[`on${type}`] as ((event: SocketEvents[T]) => void) | null;
    for (const listener of [...this.listeners[type], ...(handler ? [handler] : [])]) {
      try {
        if (typeof listener === "function") listener.call(this, event);
        else listener.handleEvent(event);
      } catch (error) {
        report(error);
      }
    }
  }

  private refusal(why: string): DOMException {
    return new DOMException(`Nothing can be sent on the socket: ${why}.`, "InvalidStateError");
  }

  private log(...words: unknown[]): void {
    if (this.options.debug) console.log("WebSocket:", ...words);
  }
}

function closeEvent(code: number, reason: string, wasClean: boolean): CloseEvent {
  return Object.assign(new Event("close"), { code, reason, wasClean }) as CloseEvent;
}

function errorEvent(code: string): SocketEvents["error"] {
  return Object.assign(new Event("error"), { code });
}
