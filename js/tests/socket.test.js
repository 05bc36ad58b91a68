import assert from "node:assert/strict";
import { test } from "node:test";

import { channels, clock, FakeWebSocket, inPage, latest, sockets } from "./support.js";

inPage();

const ADDRESS = "ws://site.example/";

/** A socket, and the types and codes of its events. */
function open(options) {
  const socket = new channels.ReconnectingWebSocket(ADDRESS, undefined, options);
  const events = [];
  for (const type of ["open", "message", "error", "close"]) {
    socket.addEventListener(type, ({ code }) => events.push(code === undefined ? type : `${type} ${code}`));
  }
  return { socket, events };
}

/** Lose the connection that there is and return the pause before the next attempt. */
function pauseAfterLoss() {
  latest().lose();
  const pause = clock.nextIn;
  clock.pass(pause);
  return pause;
}

test("the first pause is between the shortest and twice the shortest", () => {
  const pauses = [];
  for (let round = 0; round < 200; round++) {
    open();
    latest().accept();
    pauses.push(pauseAfterLoss());
    clock.timers.clear();
  }
  assert.ok(Math.min(...pauses) >= 1_500);
  assert.ok(Math.max(...pauses) <= 3_000);
  assert.ok(new Set(pauses).size > 100, "they differ");
});

test("pauses grow to the longest, and are random there too", (context) => {
  context.mock.method(Math, "random", () => 1);
  open({ minReconnectionDelay: 100, maxReconnectionDelay: 1_000, reconnectionDelayGrowFactor: 2 });
  assert.deepEqual(Array.from({ length: 5 }, pauseAfterLoss), [200, 400, 800, 1_000, 1_000]);
  Math.random.mock.mockImplementation(() => 0);
  assert.equal(pauseAfterLoss(), 500);
});

test("an open connection starts the pauses anew", (context) => {
  context.mock.method(Math, "random", () => 0);
  open();
  const grown = [pauseAfterLoss(), pauseAfterLoss()];
  latest().accept();
  assert.ok(grown[1] > grown[0]);
  assert.equal(pauseAfterLoss(), grown[0]);
});

test("attempts end after maxRetries with EHOSTDOWN", () => {
  const { socket, events } = open({ maxRetries: 2 });
  pauseAfterLoss();
  pauseAfterLoss();
  latest().lose();
  clock.pass(100_000);
  assert.equal(sockets.length, 3);
  assert.equal(events.at(-1), "error EHOSTDOWN");
  assert.throws(() => socket.send("x"), { name: "InvalidStateError" });
});

test("an attempt that takes too long is given up with ETIMEDOUT, and another made", () => {
  const { events } = open({ connectionTimeout: 1_000 });
  clock.pass(999);
  assert.deepEqual(events, []);
  clock.pass(1);
  assert.deepEqual(events, ["error ETIMEDOUT", "close 1006"]);
  assert.ok(sockets[0].closedWith);
  clock.pass(clock.nextIn);
  latest().accept();
  assert.deepEqual([sockets.length, events.at(-1)], [2, "open"]);
});

test("what an abandoned connection does is not heard", () => {
  const { events } = open({ connectionTimeout: 1_000 });
  clock.pass(1_000);
  const before = [...events];
  sockets[0].accept();
  sockets[0].deliver("late");
  sockets[0].lose();
  assert.deepEqual(events, before);
});

test("a connection that is open is not given up", () => {
  const { socket } = open();
  latest().accept();
  clock.pass(1_000_000);
  assert.deepEqual([sockets.length, socket.readyState], [1, socket.OPEN]);
});

test("handlers and listeners hear every connection; those that are removed do not", () => {
  const { socket } = open();
  const heard = [];
  const listener = ({ data }) => heard.push(`listener ${data}`);
  const object = { handleEvent: ({ data }) => heard.push(`object ${data}`) };
  socket.onmessage = ({ data }) => heard.push(`handler ${data}`);
  socket.addEventListener("message", listener);
  socket.addEventListener("message", object);
  latest().accept();
  latest().deliver(1);
  socket.removeEventListener("message", listener);
  socket.removeEventListener("message", object);
  pauseAfterLoss();
  latest().accept();
  latest().deliver(2);
  assert.deepEqual(heard, ["listener 1", "object 1", "handler 1", "handler 2"]);
});

test("a listener that fails stops nobody, and its error is reported", () => {
  const { socket, events } = open();
  socket.onopen = () => {
    throw new Error("on purpose");
  };
  latest().accept();
  latest().deliver("x");
  assert.deepEqual(events, ["open", "message"]);
  assert.throws(() => clock.pass(0), /on purpose/);
});

test("a closed socket connects again", () => {
  const { socket, events } = open();
  latest().accept();
  socket.close();
  assert.deepEqual(sockets[0].closedWith, { code: 1000, reason: "" });
  clock.pass(3_000);
  assert.deepEqual([sockets.length, events], [2, ["open", "close 1000"]]);
});

test("a socket that is closed with a delay connects again after it", () => {
  const { socket } = open();
  latest().accept();
  socket.close(1000, "", { delay: 20_000 });
  clock.pass(19_999);
  assert.equal(sockets.length, 1);
  clock.pass(1);
  assert.equal(sockets.length, 2);
});

test("a socket that is kept closed does not connect again", () => {
  const { socket, events } = open({ queueSize: 1 });
  latest().accept();
  socket.close(1000, "", { keepClosed: true });
  clock.pass(100_000);
  assert.deepEqual([sockets.length, events, socket.readyState], [1, ["open", "close 1000"], socket.CLOSED]);
  assert.throws(() => socket.send("x"), /closed for good/);
});

test("a pause is cut short by closing for good", () => {
  const { socket } = open();
  latest().accept();
  latest().lose();
  socket.close(1000, "", { keepClosed: true });
  clock.pass(100_000);
  assert.equal(sockets.length, 1);
});

test("closing slowly waits for the server", () => {
  const { socket, events } = open();
  latest().accept();
  socket.close(4001, "later", { fastClose: false, keepClosed: true });
  assert.deepEqual([events, socket.readyState], [["open"], socket.CLOSING]);
  latest().lose(4001);
  assert.deepEqual(events, ["open", "close 4001"]);
  clock.pass(100_000);
  assert.equal(sockets.length, 1);
});

test("a bad close code changes nothing", () => {
  const { socket, events } = open();
  latest().accept();
  assert.throws(() => socket.close(1006), RangeError);
  assert.deepEqual([socket.readyState, events], [socket.OPEN, ["open"]]);
});

test("closing in a listener for close is for good", () => {
  const { socket } = open();
  socket.onclose = () => socket.close(1000, "", { keepClosed: true });
  latest().accept();
  latest().lose();
  clock.pass(100_000);
  assert.equal(sockets.length, 1);
});

test("connecting anew drops the connection and makes another at once", () => {
  const { socket, events } = open();
  latest().accept();
  socket.reconnect();
  clock.pass(0);
  assert.ok(sockets[0].closedWith);
  assert.deepEqual([sockets.length, events], [2, ["open", "close 1006"]]);
});

test("shouldReconnect decides with the close event", () => {
  open({ shouldReconnect: ({ code }) => code !== 4001 });
  latest().accept();
  pauseAfterLoss();
  latest().accept();
  latest().lose(4001);
  clock.pass(100_000);
  assert.equal(sockets.length, 2);
});

test("sending without a connection throws", () => {
  const { socket } = open();
  assert.throws(() => socket.send("x"), { name: "InvalidStateError", message: /queueSize/ });
  latest().accept();
  latest().lose();
  assert.throws(() => socket.send("x"), { name: "InvalidStateError" });
});

test("queued messages leave once, in order", () => {
  const { socket } = open({ queueSize: 3 });
  socket.send("a");
  socket.send("b");
  latest().lose();
  socket.send("c");
  assert.equal(socket.queued, 3);
  clock.pass(3_000);
  latest().accept();
  pauseAfterLoss();
  latest().accept();
  assert.deepEqual(sockets.map(({ sent }) => sent), [[], ["a", "b", "c"], []]);
  assert.equal(socket.queued, 0);
});

test("a full queue refuses the next message and keeps the others", () => {
  const { socket } = open({ queueSize: 1 });
  socket.send("a");
  assert.throws(() => socket.send("b"), { name: "InvalidStateError", message: /1 messages wait/ });
  latest().accept();
  assert.deepEqual(latest().sent, ["a"]);
});

test("what a listener for open sends leaves before the queue", () => {
  const { socket } = open({ queueSize: 9 });
  socket.onopen = () => socket.send("hello");
  socket.send("queued");
  latest().accept();
  assert.deepEqual(latest().sent, ["hello", "queued"]);
});

test("messages stay in the queue when a listener for open closes the socket", () => {
  const { socket } = open({ queueSize: 9 });
  let openings = 0;
  socket.onopen = () => (openings += 1) === 1 && socket.close();
  socket.send("queued");
  latest().accept();
  clock.pass(3_000);
  latest().accept();
  assert.deepEqual(sockets.map(({ sent }) => sent), [[], ["queued"]]);
});

test("properties are those of the connection there is", () => {
  const { socket } = open();
  assert.deepEqual([socket.url, socket.readyState, socket.protocol], [ADDRESS, socket.CONNECTING, ""]);
  latest().accept("chat.v1");
  latest().bufferedAmount = 5;
  assert.deepEqual([socket.readyState, socket.protocol, socket.bufferedAmount], [socket.OPEN, "chat.v1", 5]);
  latest().lose();
  assert.deepEqual([socket.readyState, socket.protocol, socket.bufferedAmount], [socket.CLOSED, "", 0]);
});

test("the kind of binary messages is that of every connection", () => {
  const { socket } = open();
  socket.binaryType = "arraybuffer";
  latest().accept();
  pauseAfterLoss();
  assert.deepEqual(sockets.map(({ binaryType }) => binaryType), ["arraybuffer", "arraybuffer"]);
  assert.equal(socket.binaryType, "arraybuffer");
});

test("another class can stand for the browser's WebSocket", () => {
  class Other extends FakeWebSocket {}
  open({ constructor: Other });
  assert.ok(latest() instanceof Other);
});

test("without any WebSocket the error says what to pass", () => {
  delete globalThis.WebSocket;
  assert.throws(() => open(), { name: "TypeError", message: /"constructor"/ });
});

test("debug writes to the console, and only then", (context) => {
  const written = context.mock.method(console, "log", () => {});
  open();
  assert.equal(written.mock.callCount(), 0);
  open({ debug: true });
  assert.equal(written.mock.callCount(), 1);
});
