// Checked by the TypeScript compiler, never run: the types of the npm package, used as in a project.

import { ReconnectingWebSocket, WebSocketBridge } from "channels-classic-client";
import type { SocketOptions, StreamError } from "channels-classic-client";

const options: Partial<SocketOptions> = { queueSize: 100, shouldReconnect: (event) => event.code !== 4001 };
const bridge = new WebSocketBridge(options);
bridge.connect("/chat/", ["chat.v1"], { maxRetries: 3 });
bridge.connect(undefined, undefined, { constructor: WebSocket });
bridge.listen((message, stream) => console.log(message.text, stream === null));
bridge.demultiplex("chat", (action: { text: string }, stream) => console.log(action.text, stream), {
  subscribe: () => ({ after: 1 }),
  onerror: (error: StreamError, stream) => console.log(error.code, stream.length),
});
bridge.onreconnect = () => bridge.stream("chat").send({ text: "back" });
const socket: ReconnectingWebSocket | null = bridge.socket;
socket?.addEventListener("close", (event) => console.log(event.code, event.wasClean));
socket?.close(4000, "", { keepClosed: true });

// @ts-expect-error There is no such option.
new WebSocketBridge({ queuesize: 100 });
// @ts-expect-error There is no such event.
socket?.addEventListener("reconnect", () => {});
// @ts-expect-error The state is read only.
if (socket) socket.readyState = 1;
