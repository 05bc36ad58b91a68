// What the client meets in a page, in miniature: a clock that the test moves, and the WebSocket of a browser.

import { createRequire } from "node:module";
import { afterEach, beforeEach } from "node:test";

const require = createRequire(import.meta.url);

/** The very file that pages load: what it offers as the global name "channels". */
export const channels = require("../../channels/static/channels/js/websocketbridge.js");

/** A clock for setTimeout, in milliseconds. */
class Clock {
  now = 0;
  timers = new Map();
  last = 0;
  setTimeout = (callback, delay = 0) => {
    this.timers.set(++this.last, { due: this.now + delay, callback });
    return this.last;
  };
  clearTimeout = (id) => void this.timers.delete(id);

  /** Let time pass, and call what is due in the order in which it is. */
  pass(milliseconds) {
    const end = this.now + milliseconds;
    for (;;) {
      const [first] = [...this.timers].filter(([, { due }]) => due <= end).sort(([, a], [, b]) => a.due - b.due);
      if (!first) break;
      this.timers.delete(first[0]);
      this.now = first[1].due;
      first[1].callback();
    }
    this.now = end;
  }

  /** How long until the next timer. */
  get nextIn() {
    return Math.min(...[...this.timers.values()].map(({ due }) => due)) - this.now;
  }
}

export let clock;
/** Every socket that was opened in the test, oldest first. */
export let sockets;

/** The socket that was opened last. */
export const latest = () => sockets[sockets.length - 1];

/** A browser's WebSocket whose other end is the test. */
export class FakeWebSocket {
  readyState = 0;
  protocol = "";
  extensions = "";
  bufferedAmount = 0;
  binaryType = "blob";
  sent = [];
  closedWith = null;

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    sockets.push(this);
  }

  send(data) {
    if (this.readyState !== 1) throw new Error("not open");
    this.sent.push(data);
  }

  close(code, reason) {
    if (code !== undefined && code !== 1000 && (code < 3000 || code > 4999)) throw new RangeError(`bad code ${code}`);
    this.closedWith = { code, reason };
    this.readyState = 2;
  }

  accept(protocol = "") {
    this.readyState = 1;
    this.protocol = protocol;
    this.onopen?.(new Event("open"));
  }

  deliver(data) {
    this.onmessage?.(Object.assign(new Event("message"), { data }));
  }

  lose(code = 1006) {
    this.readyState = 3;
    this.onclose?.(Object.assign(new Event("close"), { code, reason: "", wasClean: false }));
  }
}

/** What was sent on a socket, as values. */
export const sentOn = (socket) => socket.sent.map((text) => JSON.parse(text));

const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };

/** Give each test of the file a page at http://site.example/. */
export function inPage(protocol = "http:") {
  beforeEach(() => {
    clock = new Clock();
    sockets = [];
    globalThis.location = { protocol, host: "site.example" };
    globalThis.WebSocket = FakeWebSocket;
    globalThis.setTimeout = clock.setTimeout;
    globalThis.clearTimeout = clock.clearTimeout;
  });
  afterEach(() => {
    Object.assign(globalThis, real);
    delete globalThis.location;
  });
}
