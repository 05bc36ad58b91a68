/*! channels-classic-client 1.2.0, BSD-3-Clause. Built from the directory js: do not edit. */
/** The events of a socket and what their listeners get. */
export interface SocketEvents {
    open: Event;
    message: MessageEvent;
    /** `code` is ETIMEDOUT for an attempt that took too long, EHOSTDOWN when no more attempts are made. */
    error: Event & {
        code?: string;
    };
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
    constructor: Function;
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
type Listener<E> = ((event: E) => void) | {
    handleEvent(event: E): void;
};
/** A WebSocket that connects again when it is lost; listeners stay. */
export declare class ReconnectingWebSocket {
    readonly CONNECTING = 0;
    readonly OPEN = 1;
    readonly CLOSING = 2;
    readonly CLOSED = 3;
    onopen: ((event: Event) => void) | null;
    onmessage: ((event: MessageEvent) => void) | null;
    onerror: ((event: SocketEvents["error"]) => void) | null;
    onclose: ((event: CloseEvent) => void) | null;
    /** The address. */
    readonly url: string;
    private readonly protocols;
    private readonly options;
    private readonly listeners;
    private readonly queue;
    private readonly watch;
    private native;
    private binary;
    private failures;
    private isStopped;
    private nextPause;
    private retryTimer;
    private timeoutTimer;
    /** Connect at once; see `SocketOptions` for the options. */
    constructor(url: string, protocols?: string | string[], options?: Partial<SocketOptions>);
    /** The state of the connection there is now: CONNECTING, OPEN, CLOSING or CLOSED. */
    get readyState(): number;
    /** The subprotocol that the server chose. */
    get protocol(): string;
    /** The extensions that the server chose. */
    get extensions(): string;
    /** Bytes that the browser has not sent yet; queued messages are not counted. */
    get bufferedAmount(): number;
    /** How many messages wait for a connection. */
    get queued(): number;
    /** What binary messages arrive as, on every connection to come too. */
    get binaryType(): BinaryType;
    set binaryType(type: BinaryType);
    /** Call a listener with every event of a type, across connections. */
    addEventListener<T extends keyof SocketEvents>(type: T, listener: Listener<SocketEvents[T]>): void;
    /** Call a listener no more. */
    removeEventListener<T extends keyof SocketEvents>(type: T, listener: Listener<SocketEvents[T]>): void;
    /**
     * Send a message, or keep it until there is a connection (option `queueSize`).
     *
     * @throws DOMException InvalidStateError: there is no connection, and no room to keep the message.
     */
    send(data: Data): void;
    /** Close the connection. Another follows, unless `keepClosed` is set. */
    close(code?: number, reason?: string, { keepClosed, fastClose, delay }?: CloseOptions): void;
    /** Connect anew at once, whatever the state of the connection. */
    reconnect(): void;
    private connect;
    private opened;
    private expire;
    /** Forget the connection, tell the listeners, and connect again later if that is wanted. */
    private lose;
    private retryLater;
    private retry;
    private wake;
    private stop;
    private emit;
    private refusal;
    private log;
}
export {};
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
export declare class WebSocketBridge {
    /** The socket; null before `connect`. */
    socket: ReconnectingWebSocket | null;
    /** The callbacks of the streams. */
    streams: Record<string, Callback>;
    /** The callback for everything that has no stream. */
    default_cb: Callback | null;
    /** The options of the socket, which those of `connect` add to. */
    options: Partial<SocketOptions>;
    /** Called when a connection is open again, after the streams have subscribed and before queued messages leave. */
    onreconnect: (() => void) | null;
    /** Called with the server's errors for streams that have no `onerror` of their own; the console gets them otherwise. */
    onstreamerror: ((error: StreamError, stream: string | null) => void) | null;
    private streamOptions;
    constructor(options?: Partial<SocketOptions>);
    /**
     * Connect; an earlier connection of this bridge is closed.
     *
     * @param url Where to: a path on this site, or a full address; the root of this site by default.
     * @param protocols Subprotocols to offer.
     * @param options Options of the socket.
     */
    connect(url?: string, protocols?: string | string[], options?: Partial<SocketOptions>): void;
    /**
     * Hand what arrives to the callbacks of the streams, and the rest to `callback`. Call it after `connect`.
     *
     * @throws Error There is no socket yet.
     */
    listen(callback?: Callback): void;
    /** Call `callback` with what arrives on a stream; another one for the same stream takes its place. */
    demultiplex(stream: string, callback: Callback, options?: StreamOptions): void;
    /**
     * Send a message as JSON.
     *
     * @throws DOMException InvalidStateError: there is no connection, and the option `queueSize` does not keep it.
     */
    send(message: unknown): void;
    /** Return a stream to send on. */
    stream(name: string): Stream;
    /** Close the connection for good. */
    close(code?: number, reason?: string): void;
    private connected;
    private subscribe;
    private take;
    private refuse;
}
export as namespace channels;
