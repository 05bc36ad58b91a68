/// <reference path="../../channels/static/channels/js/websocketbridge.d.ts" />
// Checked by the TypeScript compiler, never run: the global name in a page's script.

const bridgeOfThePage = new channels.WebSocketBridge({ queueSize: 1 });
bridgeOfThePage.connect();
// @ts-expect-error There is no such method.
bridgeOfThePage.reconnect();
