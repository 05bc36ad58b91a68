import assert from "node:assert/strict";
import { test } from "node:test";

import { channels, clock, inPage, latest, sentOn, sockets } from "./support.js";

inPage();

/** A bridge whose connection is open. */
function connected(options) {
  const bridge = new channels.WebSocketBridge(options);
  bridge.connect();
  bridge.listen();
  latest().accept();
  return bridge;
}

test("a new bridge has no socket, no streams and a copy of its options", () => {
  const options = { queueSize: 3 };
  const bridge = new channels.WebSocketBridge(options);
  assert.equal(bridge.socket, null);
  assert.deepEqual(bridge.streams, {});
  assert.equal(bridge.default_cb, null);
  assert.deepEqual(bridge.options, options);
  assert.notEqual(bridge.options, options);
});

for (const [url, address] of [
  [undefined, "ws://site.example"],
  ["/chat/", "ws://site.example/chat/"],
  ["wss://other.example/x", "wss://other.example/x"],
]) {
  test(`connect(${JSON.stringify(url) ?? ""}) opens ${address} at once`, () => {
    new channels.WebSocketBridge().connect(url, ["chat.v1"]);
    assert.deepEqual([latest().url, latest().protocols], [address, ["chat.v1"]]);
  });
}

test("a secure page gets a secure socket", () => {
  globalThis.location.protocol = "https:";
  new channels.WebSocketBridge().connect("/chat/");
  assert.equal(latest().url, "wss://site.example/chat/");
});

test("connecting twice closes the first connection for good", () => {
  const bridge = connected();
  const [first] = sockets;
  bridge.connect("/elsewhere/");
  clock.pass(3_000);
  assert.equal(first.closedWith.code, 1000);
  assert.deepEqual(sockets.map(({ url }) => url), ["ws://site.example", "ws://site.example/elsewhere/"]);
});

test("the default callback gets what has no stream", () => {
  const bridge = connected();
  const heard = [];
  bridge.listen((...args) => heard.push(args));
  latest().deliver('{"text": "hello"}');
  latest().deliver('[1, 2]');
  latest().deliver("null");
  assert.deepEqual(heard, [[{ text: "hello" }, null], [[1, 2], null], [null, null]]);
});

test("a stream's callback gets its payloads, and nobody else does", () => {
  const bridge = connected();
  const heard = [];
  bridge.listen(() => heard.push("default"));
  bridge.demultiplex("chat", (...args) => heard.push(args));
  latest().deliver('{"stream": "chat", "payload": {"text": "hello"}}');
  assert.deepEqual(heard, [[{ text: "hello" }, "chat"]]);
});

test("another callback for a stream takes the place of the first", () => {
  const bridge = connected();
  const heard = [];
  bridge.demultiplex("chat", () => heard.push("first"));
  bridge.demultiplex("chat", () => heard.push("second"));
  latest().deliver('{"stream": "chat", "payload": {}}');
  assert.deepEqual(heard, ["second"]);
});

for (const stream of ["unknown", "constructor", "__proto__"]) {
  test(`a frame for the unregistered stream ${stream} is ignored`, () => {
    connected({}).listen(() => assert.fail("the default callback was called"));
    latest().deliver(JSON.stringify({ stream, payload: {} }));
    assert.equal(clock.timers.size, 0, "nothing was thrown");
  });
}

test("a frame that is not JSON throws, and the connection goes on", () => {
  const heard = [];
  connected().listen((message) => heard.push(message));
  latest().deliver("{broken");
  assert.throws(() => clock.pass(0), SyntaxError);
  latest().deliver("1");
  assert.deepEqual(heard, [1]);
});

test("listening before connecting says what to do", () => {
  assert.throws(() => new channels.WebSocketBridge().listen(), /Call connect\(\) before listen\(\)/);
  assert.throws(() => new channels.WebSocketBridge().send({}), /Call connect\(\) before send\(\)/);
});

test("messages are sent as JSON, those of a stream in its frame", () => {
  const bridge = connected();
  bridge.send({ text: "hello" });
  bridge.stream("chat").send({ text: "hello" });
  assert.deepEqual(sentOn(latest()), [{ text: "hello" }, { stream: "chat", payload: { text: "hello" } }]);
});

test("callbacks stay when the connection is another", () => {
  const bridge = connected();
  const heard = [];
  bridge.demultiplex("chat", (action) => heard.push(action));
  latest().lose();
  clock.pass(3_000);
  latest().accept();
  latest().deliver('{"stream": "chat", "payload": 1}');
  assert.equal(sockets.length, 2);
  assert.deepEqual(heard, [1]);
});

test("streams subscribe on every connection, then onreconnect is called, then queued messages leave", () => {
  const bridge = new channels.WebSocketBridge({ queueSize: 10 });
  let asked = 0;
  bridge.demultiplex("chat", () => {}, { subscribe: () => ({ after: ++asked }) });
  bridge.demultiplex("news", () => {}, { subscribe: { topic: "sport" } });
  bridge.onreconnect = () => bridge.send("again");
  bridge.connect();
  bridge.send("early");
  latest().accept();
  const subscriptions = (after) => [
    { stream: "chat", payload: { after } },
    { stream: "news", payload: { topic: "sport" } },
  ];
  assert.deepEqual(sentOn(latest()), [...subscriptions(1), "early"]);
  latest().lose();
  bridge.send("late");
  clock.pass(3_000);
  latest().accept();
  assert.deepEqual(sentOn(latest()), [...subscriptions(2), "again", "late"]);
});

test("a stream that fails to subscribe does not keep the others from it", () => {
  const bridge = new channels.WebSocketBridge();
  const failing = () => {
    throw new Error("of the page");
  };
  bridge.demultiplex("chat", () => {}, { subscribe: failing });
  bridge.demultiplex("news", () => {}, { subscribe: "now" });
  bridge.connect("/");
  latest().accept();
  assert.deepEqual(sentOn(latest()), [{ stream: "news", payload: "now" }]);
  assert.throws(() => clock.pass(0), { message: "of the page" }, "it is shown as uncaught");
});

test("a stream that is added to an open connection subscribes at once", () => {
  connected().demultiplex("chat", () => {}, { subscribe: "now" });
  assert.deepEqual(sentOn(latest()), [{ stream: "chat", payload: "now" }]);
});

test("onreconnect is not called for the first connection, nor for attempts that fail", () => {
  const bridge = connected();
  let calls = 0;
  bridge.onreconnect = () => (calls += 1);
  latest().lose();
  clock.pass(3_000);
  latest().lose();
  clock.pass(5_000);
  assert.equal(calls, 0);
  latest().accept();
  assert.deepEqual([sockets.length, calls], [3, 1]);
});

test("the server's errors go to the stream's onerror, else to onstreamerror", () => {
  const bridge = connected();
  const heard = [];
  bridge.demultiplex("chat", () => heard.push("payload"), { onerror: (error, stream) => heard.push([error, stream]) });
  bridge.demultiplex("news", () => heard.push("payload"));
  bridge.onstreamerror = (error, stream) => heard.push([error, stream]);
  for (const stream of ["chat", "news", null]) {
    latest().deliver(JSON.stringify({ stream, error: { code: "bad", detail: "" } }));
  }
  const error = { code: "bad", detail: "" };
  assert.deepEqual(heard, [[error, "chat"], [error, "news"], [error, null]]);
});

test("an error that nobody listens for is written to the console", (context) => {
  connected();
  const written = context.mock.method(console, "error", () => {});
  latest().deliver('{"stream": null, "error": {"code": "invalid_json", "detail": ""}}');
  assert.match(written.mock.calls[0].arguments[0], /refused a frame for the stream null/);
});

test("a message with a key named error is a message where there is no stream", () => {
  const heard = [];
  connected().listen((message) => heard.push(message));
  latest().deliver('{"error": "of the application"}');
  assert.deepEqual(heard, [{ error: "of the application" }]);
});

test("close is for good", () => {
  const bridge = connected();
  bridge.close(4000, "bye");
  clock.pass(100_000);
  assert.deepEqual([sockets.length, sockets[0].closedWith], [1, { code: 4000, reason: "bye" }]);
});
