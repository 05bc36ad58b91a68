// JSON and streams over a socket that reconnects. How it reconnects is the socket's business.

import type { SocketOptions } from "./options";
import { report } from "./report";
import { ReconnectingWebSocket } from "./socket";

/** Called with what arrives on a stream; the default callback gets null as the stream. */
export type Callback = (action: any, stream: string | null) => void;

/** What a server says about a frame that it could not take; `stream` is null if the frame had none. */
export interface StreamError {
  code: string;
  detail: string;
  [more: string]: unknown;
}

/** Further wishes for a stream. */
export interface StreamOptions {
  /** Sent on the stream whenever a connection opens, the first included; a function is asked each time. */
  subscribe?: unknown;
  /** Called with the server's errors for this stream; otherwise `onstreamerror` is. */
  onerror?: (error: StreamError, stream: string) => void;
}

/** One stream, for sending. */
export interface Stream {
  /** Send an action on this stream. */
  send(action: unknown): void;
}

/** A WebSocket that carries JSON and several streams, and connects again when it is lost. */
export class WebSocketBridge {
  /** The socket; null before `connect`. */
  socket: ReconnectingWebSocket | null = null;
  /** The callbacks of the streams. */
  streams: Record<string, Callback> = {};
  /** The callback for everything that has no stream. */
  default_cb: Callback | null = null;
  /** The options of the socket, which those of `connect` add to. */
  options: Partial<SocketOptions>;
  /** Called when a connection is open again, after the streams have subscribed and before queued messages leave. */
  onreconnect: (() => void) | null = null;
  /** Called with the server's errors for streams that have no `onerror` of their own; the console gets them otherwise. */
  onstreamerror: ((error: StreamError, stream: string | null) => void) | null = null;

  private streamOptions: Record<string, StreamOptions> = {};

  constructor(options: Partial<SocketOptions> = {}) {
    this.options = { ...options };
  }

  /**
   * Connect; an earlier connection of this bridge is closed.
   *
   * @param url Where to: a path on this site, or a full address; the root of this site by default.
   * @param protocols Subprotocols to offer.
   * @param options Options of the socket.
   */
  connect(url?: string, protocols?: string | string[], options: Partial<SocketOptions> = {}): void {
    this.socket?.close(1000, "", { keepClosed: true });
    const socket = new ReconnectingWebSocket(addressOf(url), protocols, { ...this.options, ...options });
    this.socket = socket;
    let isFirst = true;
    socket.addEventListener("open", () => {
      for (const stream of Object.keys(this.streamOptions)) {
        try {
          this.subscribe(stream);
        } catch (error) {
          report(error); // The other streams want theirs.
        }
      }
      if (!isFirst) this.onreconnect?.();
      isFirst = false;
    });
  }

  /**
   * Hand what arrives to the callbacks of the streams, and the rest to `callback`. Call it after `connect`.
   *
   * @throws Error There is no socket yet.
   */
  listen(callback?: Callback): void {
    if (callback) this.default_cb = callback;
    this.connected("listen").onmessage = (event) => this.take(JSON.parse(event.data as string));
  }

  /** Call `callback` with what arrives on a stream; another one for the same stream takes its place. */
  demultiplex(stream: string, callback: Callback, options: StreamOptions = {}): void {
    this.streams[stream] = callback;
    this.streamOptions[stream] = options;
    if (this.socket?.readyState === 1) this.subscribe(stream);
  }

  /**
   * Send a message as JSON.
   *
   * @throws DOMException InvalidStateError: there is no connection, and the option `queueSize` does not keep it.
   */
  send(message: unknown): void {
    this.connected("send").send(JSON.stringify(message));
  }

  /** Return a stream to send on. */
  stream(name: string): Stream {
    return { send: (action) => this.send({ stream: name, payload: action }) };
  }

  /** Close the connection for good. */
  close(code = 1000, reason = ""): void {
    this.socket?.close(code, reason, { keepClosed: true });
  }

  private connected(what: string): ReconnectingWebSocket {
    if (!this.socket) throw new Error(`Call connect() before ${what}().`);
    return this.socket;
  }

  private subscribe(stream: string): void {
    const wish = this.streamOptions[stream]?.subscribe;
    if (wish !== undefined) this.stream(stream).send(typeof wish === "function" ? wish() : wish);
  }

  private take(frame: any): void {
    if (frame?.error !== undefined && "stream" in frame && !("payload" in frame)) {
      this.refuse(frame.error as StreamError, frame.stream as string | null);
    } else if (frame?.stream !== undefined && frame.stream !== null) {
      if (has(this.streams, frame.stream)) this.streams[frame.stream]?.(frame.payload, frame.stream);
    } else {
      this.default_cb?.(frame, null);
    }
  }

  private refuse(error: StreamError, stream: string | null): void {
    const own = stream !== null && has(this.streamOptions, stream) ? this.streamOptions[stream]?.onerror : undefined;
    if (own) own(error, stream as string);
    else if (this.onstreamerror) this.onstreamerror(error, stream);
    else console.error(`The server refused a frame for the stream ${JSON.stringify(stream)}:`, error);
  }
}

/** Whether an object has a key of its own: names of streams come from the network. */
function has(object: object, key: string): boolean {
  return Object.prototype.hasOwnProperty.call(object, key);
}

/** Return the full address for what `connect` was given. */
function addressOf(url?: string): string {
  if (url && !url.startsWith("/")) return url;
  const { protocol, host } = globalThis.location;
  return `${protocol === "https:" ? "wss" : "ws"}://${host}${url ?? ""}`;
}
