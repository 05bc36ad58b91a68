export { WebSocketBridge } from "./bridge";
export type { Callback, Stream, StreamError, StreamOptions } from "./bridge";
export type { CloseOptions, Data, SocketEvents, SocketOptions } from "./options";
export { ReconnectingWebSocket } from "./socket";
