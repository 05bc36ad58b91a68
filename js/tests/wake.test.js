import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { channels, clock, inPage, latest, sockets } from "./support.js";

inPage();

const realInterval = { setInterval: globalThis.setInterval, clearInterval: globalThis.clearInterval };
let look; // what the page calls every few seconds
let skew; // how far the wall clock is ahead of the test's

beforeEach((context) => {
  globalThis.window = new EventTarget();
  globalThis.document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  globalThis.setInterval = (callback) => (look = callback);
  globalThis.clearInterval = (id) => id === look && (look = null);
  skew = 0;
  context.mock.method(Date, "now", () => clock.now + skew);
});
afterEach(() => {
  Object.assign(globalThis, realInterval);
  delete globalThis.window;
  delete globalThis.document;
});

function open(options) {
  const socket = new channels.ReconnectingWebSocket("ws://site.example/", undefined, options);
  latest().accept();
  return socket;
}

test("a sleep that the timers show makes another connection at once", () => {
  open();
  skew += 130_000;
  look();
  clock.pass(0);
  assert.deepEqual([sockets.length, Boolean(sockets[0].closedWith)], [2, true]);
});

test("what is sent right after a sleep waits for the new connection", () => {
  const socket = open({ queueSize: 1 });
  skew += 130_000;
  socket.send("x");
  clock.pass(0);
  latest().accept();
  assert.deepEqual(sockets.map(({ sent }) => sent), [[], ["x"]]);
});

test("a page that is only slowed down keeps its connection", () => {
  open();
  for (let minute = 0; minute < 10; minute++) {
    skew += 60_000;
    look();
  }
  clock.pass(0);
  assert.equal(sockets.length, 1);
});

test("a page that was frozen for long connects anew when it resumes", () => {
  open({ sleepThreshold: 30_000 });
  skew += 40_000;
  document.dispatchEvent(new Event("resume"));
  look();
  clock.pass(0);
  assert.equal(sockets.length, 2, "once");
});

test("a page on the network again connects anew", () => {
  open();
  window.dispatchEvent(new Event("online"));
  clock.pass(0);
  assert.equal(sockets.length, 2);
});

for (const [where, type] of [["document", "visibilitychange"], ["window", "pageshow"], ["window", "online"]]) {
  test(`${type} ends the pause before the next attempt`, () => {
    open();
    latest().lose();
    globalThis[where].dispatchEvent(new Event(type));
    assert.equal(sockets.length, 2);
    clock.pass(3_000);
    assert.equal(sockets.length, 2, "the pause is forgotten");
  });
}

test("a page that comes into sight keeps its connection", () => {
  open();
  document.dispatchEvent(new Event("visibilitychange"));
  clock.pass(0);
  assert.equal(sockets.length, 1);
});

test("a page that goes out of sight does nothing", () => {
  open();
  latest().lose();
  document.visibilityState = "hidden";
  document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(sockets.length, 1);
});

test("a socket that is closed for good watches nothing", () => {
  open().close(1000, "", { keepClosed: true });
  assert.equal(look, null);
  window.dispatchEvent(new Event("online"));
  clock.pass(100_000);
  assert.equal(sockets.length, 1);
});

test("a socket that is closed for good stays so, however late somebody sends", () => {
  const socket = open();
  socket.close(1000, "", { keepClosed: true });
  skew += 500_000;
  assert.throws(() => socket.send("x"), { name: "InvalidStateError" });
  clock.pass(0);
  assert.equal(sockets.length, 1);
});

test("a socket that could not be made watches nothing", () => {
  look = null;
  class Refusing {
    constructor() {
      throw new SyntaxError("bad address");
    }
  }
  assert.throws(() => open({ constructor: Refusing }), SyntaxError);
  assert.equal(look, null);
});
