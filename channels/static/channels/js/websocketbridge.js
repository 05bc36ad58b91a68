/*! channels-classic-client 1.2.0, BSD-3-Clause. Built from the directory js: do not edit. */
(function (root, factory) {
  if (typeof define === "function" && define.amd) define([], factory);
  else if (typeof module === "object" && module.exports) module.exports = factory();
  else root.channels = factory();
})(typeof self !== "undefined" ? self : this, function () {
"use strict";
var exports_ = (() => {
  var __defProp = Object.defineProperty;
  var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
  var __getOwnPropNames = Object.getOwnPropertyNames;
  var __hasOwnProp = Object.prototype.hasOwnProperty;
  var __export = (target, all) => {
    for (var name in all)
      __defProp(target, name, { get: all[name], enumerable: true });
  };
  var __copyProps = (to, from, except, desc) => {
    if (from && typeof from === "object" || typeof from === "function") {
      for (let key of __getOwnPropNames(from))
        if (!__hasOwnProp.call(to, key) && key !== except)
          __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
    }
    return to;
  };
  var __toCommonJS = (mod) => __copyProps(__defProp({}, "__esModule", { value: true }), mod);

  // src/index.ts
  var index_exports = {};
  __export(index_exports, {
    ReconnectingWebSocket: () => ReconnectingWebSocket,
    WebSocketBridge: () => WebSocketBridge
  });

  // src/report.ts
  function report(error) {
    setTimeout(() => {
      throw error;
    });
  }

  // src/pauses.ts
  function pauseBefore(failures, options, random = Math.random()) {
    const { minReconnectionDelay: shortest, maxReconnectionDelay: longest } = options;
    const ceiling = Math.min(2 * shortest * options.reconnectionDelayGrowFactor ** failures, longest);
    return Math.min(ceiling / 2 + random * ceiling / 2, longest);
  }

  // src/wake.ts
  var LOOK_EVERY = 5e3;
  function watchWake(sleepThreshold, onWake) {
    if (typeof window === "undefined" || typeof document === "undefined") return { look: () => {
    }, stop: () => {
    } };
    const lookEvery = Math.min(LOOK_EVERY, sleepThreshold / 2);
    let lookedAt = Date.now();
    const hasSlept = () => {
      const gap = Date.now() - lookedAt;
      lookedAt = Date.now();
      return gap > sleepThreshold + lookEvery;
    };
    const look = () => void (hasSlept() && onWake(true));
    const greet = () => onWake(hasSlept());
    const greetIfVisible = () => void (document.visibilityState === "visible" && greet());
    const distrust = () => onWake(true);
    const timer = setInterval(look, lookEvery);
    document.addEventListener("visibilitychange", greetIfVisible);
    document.addEventListener("resume", greet);
    window.addEventListener("pageshow", greet);
    window.addEventListener("online", distrust);
    const stop = () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", greetIfVisible);
      document.removeEventListener("resume", greet);
      window.removeEventListener("pageshow", greet);
      window.removeEventListener("online", distrust);
    };
    return { look, stop };
  }

  // src/socket.ts
  var DEFAULTS = {
    maxReconnectionDelay: 1e4,
    minReconnectionDelay: 1500,
    reconnectionDelayGrowFactor: 1.3,
    connectionTimeout: 4e3,
    maxRetries: Infinity,
    queueSize: 0,
    sleepThreshold: 12e4,
    shouldReconnect: () => true,
    debug: false
  };
  var CLOSED = 3;
  var ReconnectingWebSocket = class {
    /** Connect at once; see `SocketOptions` for the options. */
    constructor(url, protocols, options = {}) {
      this.CONNECTING = 0;
      this.OPEN = 1;
      this.CLOSING = 2;
      this.CLOSED = CLOSED;
      this.onopen = null;
      this.onmessage = null;
      this.onerror = null;
      this.onclose = null;
      this.listeners = { open: /* @__PURE__ */ new Set(), message: /* @__PURE__ */ new Set(), error: /* @__PURE__ */ new Set(), close: /* @__PURE__ */ new Set() };
      this.queue = [];
      this.native = null;
      this.binary = "blob";
      this.failures = 0;
      this.isStopped = false;
      this.nextPause = null;
      const own = Object.prototype.hasOwnProperty.call(options, "constructor") ? options.constructor : void 0;
      const constructor = own != null ? own : globalThis.WebSocket;
      if (typeof constructor !== "function") {
        throw new TypeError('There is no WebSocket here: pass a class as the option "constructor".');
      }
      this.url = url;
      this.protocols = protocols;
      this.options = { ...DEFAULTS, ...options, constructor };
      this.connect();
      this.watch = watchWake(this.options.sleepThreshold, (isSuspect) => this.wake(isSuspect));
    }
    /** The state of the connection there is now: CONNECTING, OPEN, CLOSING or CLOSED. */
    get readyState() {
      var _a, _b;
      return (_b = (_a = this.native) == null ? void 0 : _a.readyState) != null ? _b : CLOSED;
    }
    /** The subprotocol that the server chose. */
    get protocol() {
      var _a, _b;
      return (_b = (_a = this.native) == null ? void 0 : _a.protocol) != null ? _b : "";
    }
    /** The extensions that the server chose. */
    get extensions() {
      var _a, _b;
      return (_b = (_a = this.native) == null ? void 0 : _a.extensions) != null ? _b : "";
    }
    /** Bytes that the browser has not sent yet; queued messages are not counted. */
    get bufferedAmount() {
      var _a, _b;
      return (_b = (_a = this.native) == null ? void 0 : _a.bufferedAmount) != null ? _b : 0;
    }
    /** How many messages wait for a connection. */
    get queued() {
      return this.queue.length;
    }
    /** What binary messages arrive as, on every connection to come too. */
    get binaryType() {
      return this.binary;
    }
    set binaryType(type) {
      this.binary = type;
      if (this.native) this.native.binaryType = type;
    }
    /** Call a listener with every event of a type, across connections. */
    addEventListener(type, listener) {
      var _a;
      (_a = this.listeners[type]) == null ? void 0 : _a.add(listener);
    }
    /** Call a listener no more. */
    removeEventListener(type, listener) {
      var _a;
      (_a = this.listeners[type]) == null ? void 0 : _a.delete(listener);
    }
    /**
     * Send a message, or keep it until there is a connection (option `queueSize`).
     *
     * @throws DOMException InvalidStateError: there is no connection, and no room to keep the message.
     */
    send(data) {
      if (!this.isStopped) this.watch.look();
      if (this.native && this.readyState === this.OPEN) return this.native.send(data);
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
    close(code = 1e3, reason = "", { keepClosed = false, fastClose = true, delay = 0 } = {}) {
      const native = this.native;
      native == null ? void 0 : native.close(code, reason);
      if (keepClosed) this.stop();
      if (delay > 0) this.nextPause = delay;
      if (native && fastClose) this.lose(closeEvent(code, reason, true));
      else if (!native && !this.isStopped && delay > 0) this.retryLater();
    }
    /** Connect anew at once, whatever the state of the connection. */
    reconnect() {
      if (this.isStopped) return;
      this.nextPause = 0;
      const native = this.native;
      if (!native) return this.retryLater();
      this.lose(closeEvent(1006, "connecting anew", false));
      native.close();
    }
    connect() {
      this.log("connecting to", this.url);
      const native = new this.options.constructor(this.url, this.protocols);
      this.native = native;
      native.binaryType = this.binary;
      native.onopen = (event) => this.opened(event);
      native.onmessage = (event) => this.emit("message", event);
      native.onerror = (event) => this.emit("error", event);
      native.onclose = (event) => this.lose(event);
      this.timeoutTimer = setTimeout(() => this.expire(native), this.options.connectionTimeout);
    }
    opened(event) {
      var _a;
      this.log("open");
      clearTimeout(this.timeoutTimer);
      this.failures = 0;
      this.emit("open", event);
      while (this.queue.length && this.readyState === this.OPEN) (_a = this.native) == null ? void 0 : _a.send(this.queue.shift());
    }
    expire(native) {
      this.emit("error", errorEvent("ETIMEDOUT"));
      if (this.native !== native) return;
      this.lose(closeEvent(1006, "connecting took too long", false));
      native.close();
    }
    /** Forget the connection, tell the listeners, and connect again later if that is wanted. */
    lose(event) {
      this.log("closed", event.code, event.reason);
      clearTimeout(this.timeoutTimer);
      if (this.native) {
        this.native.onopen = this.native.onmessage = this.native.onerror = this.native.onclose = null;
        this.native = null;
      }
      if (!this.isStopped && !this.options.shouldReconnect(event)) this.stop();
      this.emit("close", event);
      if (!this.isStopped && !this.native && this.retryTimer === void 0) this.retryLater();
    }
    retryLater() {
      var _a;
      clearTimeout(this.retryTimer);
      if (this.failures >= this.options.maxRetries) {
        this.stop();
        this.emit("error", errorEvent("EHOSTDOWN"));
        return;
      }
      const pause = (_a = this.nextPause) != null ? _a : pauseBefore(this.failures, this.options);
      this.nextPause = null;
      this.log("connecting again in", pause, "ms");
      this.retryTimer = setTimeout(() => this.retry(), pause);
    }
    retry() {
      clearTimeout(this.retryTimer);
      this.retryTimer = void 0;
      this.failures += 1;
      this.connect();
    }
    wake(isSuspect) {
      this.log("awake", isSuspect ? "after a sleep, or on another network" : "");
      if (!this.native) this.retry();
      else if (isSuspect) this.reconnect();
    }
    stop() {
      this.isStopped = true;
      clearTimeout(this.retryTimer);
      clearTimeout(this.timeoutTimer);
      this.watch.stop();
    }
    emit(type, event) {
      const handler = this[`on${type}`];
      for (const listener of [...this.listeners[type], ...handler ? [handler] : []]) {
        try {
          if (typeof listener === "function") listener.call(this, event);
          else listener.handleEvent(event);
        } catch (error) {
          report(error);
        }
      }
    }
    refusal(why) {
      return new DOMException(`Nothing can be sent on the socket: ${why}.`, "InvalidStateError");
    }
    log(...words) {
      if (this.options.debug) console.log("WebSocket:", ...words);
    }
  };
  function closeEvent(code, reason, wasClean) {
    return Object.assign(new Event("close"), { code, reason, wasClean });
  }
  function errorEvent(code) {
    return Object.assign(new Event("error"), { code });
  }

  // src/bridge.ts
  var WebSocketBridge = class {
    constructor(options = {}) {
      /** The socket; null before `connect`. */
      this.socket = null;
      /** The callbacks of the streams. */
      this.streams = {};
      /** The callback for everything that has no stream. */
      this.default_cb = null;
      /** Called when a connection is open again, after the streams have subscribed and before queued messages leave. */
      this.onreconnect = null;
      /** Called with the server's errors for streams that have no `onerror` of their own; the console gets them otherwise. */
      this.onstreamerror = null;
      this.streamOptions = {};
      this.options = { ...options };
    }
    /**
     * Connect; an earlier connection of this bridge is closed.
     *
     * @param url Where to: a path on this site, or a full address; the root of this site by default.
     * @param protocols Subprotocols to offer.
     * @param options Options of the socket.
     */
    connect(url, protocols, options = {}) {
      var _a;
      (_a = this.socket) == null ? void 0 : _a.close(1e3, "", { keepClosed: true });
      const socket = new ReconnectingWebSocket(addressOf(url), protocols, { ...this.options, ...options });
      this.socket = socket;
      let isFirst = true;
      socket.addEventListener("open", () => {
        var _a2;
        for (const stream of Object.keys(this.streamOptions)) {
          try {
            this.subscribe(stream);
          } catch (error) {
            report(error);
          }
        }
        if (!isFirst) (_a2 = this.onreconnect) == null ? void 0 : _a2.call(this);
        isFirst = false;
      });
    }
    /**
     * Hand what arrives to the callbacks of the streams, and the rest to `callback`. Call it after `connect`.
     *
     * @throws Error There is no socket yet.
     */
    listen(callback) {
      if (callback) this.default_cb = callback;
      this.connected("listen").onmessage = (event) => this.take(JSON.parse(event.data));
    }
    /** Call `callback` with what arrives on a stream; another one for the same stream takes its place. */
    demultiplex(stream, callback, options = {}) {
      var _a;
      this.streams[stream] = callback;
      this.streamOptions[stream] = options;
      if (((_a = this.socket) == null ? void 0 : _a.readyState) === 1) this.subscribe(stream);
    }
    /**
     * Send a message as JSON.
     *
     * @throws DOMException InvalidStateError: there is no connection, and the option `queueSize` does not keep it.
     */
    send(message) {
      this.connected("send").send(JSON.stringify(message));
    }
    /** Return a stream to send on. */
    stream(name) {
      return { send: (action) => this.send({ stream: name, payload: action }) };
    }
    /** Close the connection for good. */
    close(code = 1e3, reason = "") {
      var _a;
      (_a = this.socket) == null ? void 0 : _a.close(code, reason, { keepClosed: true });
    }
    connected(what) {
      if (!this.socket) throw new Error(`Call connect() before ${what}().`);
      return this.socket;
    }
    subscribe(stream) {
      var _a;
      const wish = (_a = this.streamOptions[stream]) == null ? void 0 : _a.subscribe;
      if (wish !== void 0) this.stream(stream).send(typeof wish === "function" ? wish() : wish);
    }
    take(frame) {
      var _a, _b, _c;
      if ((frame == null ? void 0 : frame.error) !== void 0 && "stream" in frame && !("payload" in frame)) {
        this.refuse(frame.error, frame.stream);
      } else if ((frame == null ? void 0 : frame.stream) !== void 0 && frame.stream !== null) {
        if (has(this.streams, frame.stream)) (_b = (_a = this.streams)[frame.stream]) == null ? void 0 : _b.call(_a, frame.payload, frame.stream);
      } else {
        (_c = this.default_cb) == null ? void 0 : _c.call(this, frame, null);
      }
    }
    refuse(error, stream) {
      var _a;
      const own = stream !== null && has(this.streamOptions, stream) ? (_a = this.streamOptions[stream]) == null ? void 0 : _a.onerror : void 0;
      if (own) own(error, stream);
      else if (this.onstreamerror) this.onstreamerror(error, stream);
      else console.error(`The server refused a frame for the stream ${JSON.stringify(stream)}:`, error);
    }
  };
  function has(object, key) {
    return Object.prototype.hasOwnProperty.call(object, key);
  }
  function addressOf(url) {
    if (url && !url.startsWith("/")) return url;
    const { protocol, host } = globalThis.location;
    return `${protocol === "https:" ? "wss" : "ws"}://${host}${url != null ? url : ""}`;
  }
  return __toCommonJS(index_exports);
})();
return exports_;
});
