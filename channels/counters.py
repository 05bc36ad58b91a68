"""What this process sent, received, refused and dropped, and why. The only place that counts.

Names are ``noun.verb.reason``; the package's own are in ``KNOWN``, which docs/reference/counters shows. Counting must
never fail and never block for long: one lock, one dict.
"""

import threading
from collections import Counter
from collections.abc import Mapping

KNOWN: Mapping[str, str] = {
    # Messages on the layer
    "message.dropped.channel_full": "A consumer's send found its channel full until the retries ended.",
    "message.dropped.close": "The message that closes a socket out of order found no room.",
    "message.dropped.dead_letter": "Handed out as often as allowed and never finished; now a dead letter.",
    "message.dropped.dead_process": "It waited on the queue of a process that is dead.",
    "message.dropped.dispatch_failed": "Something around the consumer failed, not the consumer.",
    "message.dropped.expired": "Nobody received it within the layer's expiry.",
    "message.dropped.gap": "It waited for an earlier message of its socket that never came.",
    "message.dropped.malformed": (
        "A worker received it and no consumer could take it: a value is missing or of the wrong type."
    ),
    "message.dropped.member_full": "Member of a group whose channel was full; one for each member.",
    "message.dropped.no_route": "A worker received it and no route takes it.",
    "message.dropped.old_format": "It was left between processes by another version of this package.",
    "message.dropped.order": "It came twice, or its socket was given up already.",
    "message.dropped.shard_unavailable": "Copies for members of a group on a server that was lost.",
    "message.dropped.refused": "A consumer's send that the layer refused for another reason than a full channel.",
    "message.dropped.reinsert_failed": "ConsumeLater could not put it back.",
    "message.dropped.requeue_full": "Its turn had come, and its channel was full.",
    "message.dropped.retries_exceeded": "ConsumeLater put it back as often as allowed.",
    "message.dropped.unreadable": "An entry in the layer is no message of this layer, or encrypted with another key.",
    "message.dropped.unreturned": "It was being handed back when the layer was lost: it may be on its channel, or not.",
    "message.held.order": "It came before its turn and waits; not lost.",
    "message.refused.full": "A send raised ChannelFull.",
    "message.returned.slow_consumer": "It was taken together with one whose consumer runs for long, and handed back.",
    "message.returned.stop": "A worker that was told to stop had taken it, and handed it back.",
    "message.repeated.unfinished": "Its consumer was done, but the layer could not be told; it comes again.",
    # Frames and users of sockets
    "message.dropped.invalid_frame": "A frame for a demultiplexer is not an object with stream and payload.",
    "message.dropped.invalid_json": "A frame is not JSON.",
    "message.dropped.invalid_message": "A frame is no message of its typed consumer; the client is told so at first.",
    "message.dropped.invalid_payload": "A frame for a demultiplexer has a payload that its consumer does not take.",
    "message.dropped.login_required": "A frame of a user who is not logged in any more.",
    "message.dropped.permission": "A frame of a user who may no longer see what the socket shows.",
    "message.dropped.unauthenticated": "A frame for a typed consumer that had not admitted its socket.",
    "message.dropped.unknown_stream": "A frame for a demultiplexer names a stream that it does not have.",
    "connection.closed.flood": "A socket was closed because its client sent too many invalid messages.",
    "message.dropped.conflict": "A change for a binding that other rows forbid.",
    "message.dropped.invalid": "A change for a binding with values that its model does not take.",
    "message.dropped.not_found": "A change for a binding of a row that is not there.",
    "message.dropped.permission_denied": "A change for a binding that its has_permission refused.",
    "message.dropped.unknown_action": "A change for a binding with an action that it does not have.",
    "connection.closed.gap": "A socket was closed because one of its ordered messages did not come.",
    "connection.denied.authentication": "A typed consumer did not admit a client.",
    "connection.denied.login_required": "A handshake without a logged-in user.",
    "connection.denied.origin": "A handshake from an origin that is not allowed.",
    "connection.denied.permission": "A handshake of a user who may not see what the socket shows.",
    # The delay server
    "message.delayed.channel_full": "A message was due and its channel full: put off, not lost.",
    "message.delayed.unavailable": "A message was due and its server, one of several, out of reach: put off, not lost.",
    "message.dropped.delay_invalid": "A message on asgi.delay does not say what to send where and when.",
    "message.dropped.delay_unstored": "A delay server that stopped could neither store it nor put it back.",
    "message.dropped.delayed_invalid": "What waited in the database was no message.",
    "message.dropped.delayed_refused": "A message was due and the layer does not take it.",
    # Consumers
    "consumer.failed.exception": "A consumer raised something.",
    "consumer.failed.handshake": "A typed consumer raised something for a client that was admitted, which is closed.",
    "consumer.failed.message": "A typed consumer raised something for a message; the client was told that it failed.",
    "change.dropped.incomplete": "Nobody was told of a row of a fixture, which refers to one that comes later.",
    "event.failed.exception": "An event failed for one member of its group: it was invalid, or its handler raised.",
    "session.dropped.ended": "Changes to a session that had ended meanwhile.",
    "turn.lost.layer": "The end of an ordered message's turn could not be told to the layer.",
    # Responses of workers
    "response.dropped.channel_full": "The rest of a response: its reply channel stayed full.",
    "response.dropped.client_gone": "The rest of a response: its client went away.",
    "response.dropped.client_slow": "The rest of a response: its client took nothing for too long.",
    # HTTP at the interface
    "http.aborted.drain": "A response was broken off: it took too long when the process was told to stop.",
    "http.aborted.incomplete": "A response was broken off by its worker, or the layer lost a message of it.",
    "http.aborted.loss": "A response that had begun was broken off: the layer has lost what it held.",
    "http.aborted.malformed": "A response was broken off because a later message of it could not be read.",
    "http.aborted.stop": "A response that had begun was broken off: the server ended without a word to it.",
    "http.answered.1xx": "Responses by class of status, pages of the interface included.",
    "http.answered.2xx": "The same.",
    "http.answered.3xx": "The same.",
    "http.answered.4xx": "The same.",
    "http.answered.5xx": "The same.",
    "http.dropped.disconnect": "An http.disconnect, or a report on a response, found no room.",
    "http.dropped.done": "A message of a response that was complete.",
    "http.dropped.malformed": "A message on a reply channel of HTTP that is no response.",
    "http.dropped.unexpected": "A message, or an event of the server, that fits no state of its request.",
    "http.refused.client_rate": "429: more requests of one client than CHANNELS_MAX_CLIENT_REQUESTS_PER_MINUTE.",
    "http.refused.layer": "503: the layer did not take the request.",
    "http.refused.malformed": "500: the response could not be read.",
    "http.refused.path": "400: the path is not UTF-8.",
    "http.refused.size": "413: the body is larger than CHANNELS_MAX_BODY_BYTES or than the layer carries.",
    "http.refused.slow": "408: the body did not arrive in time.",
    "http.refused.timeout": "503: no worker answered in time.",
    # WebSockets at the interface
    "websocket.abandoned.client": "The client went away during its handshake.",
    "websocket.accepted.application": "A handshake was accepted.",
    "websocket.began.handshake": "A client asked for a socket.",
    "websocket.closed.drain": "1012: the process was told to stop.",
    "websocket.closed.layer": "1013 or 1009: the layer did not take a frame.",
    "websocket.closed.loss": "1012: the layer has lost what it held.",
    "websocket.closed.rate": "1008: more frames than CHANNELS_MAX_FRAMES_PER_SECOND.",
    "websocket.closed.size": "1009: a frame larger than CHANNELS_MAX_FRAME_BYTES.",
    "websocket.closed.stop": "1012: the server ended without a word to its sockets.",
    "websocket.closed.timeout": "1000: the socket was open for CHANNELS_WEBSOCKET_TIMEOUT.",
    "websocket.dropped.close_code": "A close code that may not be sent; the socket was closed with 1000.",
    "websocket.dropped.closed": "A reply for a socket that was closed.",
    "websocket.dropped.disconnect": "A websocket.disconnect found no room for a minute: consumers could not clean up.",
    "websocket.dropped.handshake": "A message of a group for a socket whose handshake failed, or waited for too long.",
    "websocket.dropped.malformed": "A message on a reply channel of WebSockets that is no reply.",
    "websocket.dropped.status": "A status that does not refuse; the handshake was refused with 403.",
    "websocket.dropped.subprotocol": "The subprotocol that a consumer chose was not offered; accepted without it.",
    "websocket.dropped.undecided": "An empty reply during the handshake, which decides nothing.",
    "websocket.dropped.unexpected": "A reply that fits no state of its socket.",
    "websocket.ended.open": "A socket that had been accepted ended.",
    "websocket.refused.application": "A consumer refused the handshake.",
    "websocket.refused.client_rate": "429: more than CHANNELS_MAX_CLIENT_HANDSHAKES_PER_MINUTE.",
    "websocket.refused.client_sockets": "429: more sockets of one client than CHANNELS_MAX_CLIENT_SOCKETS.",
    "websocket.refused.drain": "503: the process was told to stop.",
    "websocket.refused.handshakes": "503: more undecided handshakes than CHANNELS_MAX_HANDSHAKES.",
    "websocket.refused.layer": "503: the layer did not take websocket.connect.",
    "websocket.refused.loss": "503: the layer has lost what it held, this handshake perhaps included.",
    "websocket.refused.path": "400: the path is not UTF-8.",
    "websocket.refused.sockets": "503: more sockets than CHANNELS_MAX_SOCKETS.",
    "websocket.refused.stop": "503: the server ended during the handshake.",
    "websocket.refused.timeout": "403: no consumer decided the handshake in time.",
    # The interface and the layer
    "interface.dropped.backlog": "What waited for a client that reads too slowly; its connection ended.",
    "interface.dropped.disconnect": "Messages about ended connections when the process ended.",
    "interface.dropped.error": "A reply whose delivery failed in the interface.",
    "interface.dropped.failed": "The server refused an event.",
    "interface.dropped.gone": "What was to be sent to a client that had gone.",
    "interface.dropped.stalled": "What waited for a client that took nothing for CHANNELS_BACKLOG_TIMEOUT.",
    "interface.dropped.unknown": "A reply for a connection that is no longer here.",
    "interface.failed.upkeep": "Looking after connections failed in an unforeseen way.",
    "interface.receive.failed": "A receive of replies failed.",
    "interface.receive.recovered": "Replies arrive again after that.",
    "interface.refused.error": "One attempt to send failed in an unforeseen way.",
    "interface.refused.full": "One attempt to send found its channel full; others may have followed.",
    "interface.refused.size": "A message was too large for the layer.",
    "interface.refused.unavailable": "One attempt to send did not reach the layer.",
    "probe.dropped.disconnect": "The answer to a probe of the doctor found no room.",
    "layer.failed.connection": "A command or a connection to a server of the layer failed.",
    "shard.lost.unreachable": "One of several servers of the layer was lost; one for each outage.",
    "cluster.followed.moved": "A slot of a Redis Cluster had moved, and was followed.",
    "group.discarded.gone": "Member of a group that nobody reads any more; one for each member.",
    "group.dropped.unreadable": "Member of a group that is no channel name: somebody else wrote it.",
    "queue.buried.alive": (
        "A process was taken for dead that lives: it stood still for a minute, or the clock of the server was set."
    ),
    "process.dropped.malformed": "An announcement in the layer that is not one of a process.",
    "layer.lost.receive": "A worker lost the layer.",
    "layer.regained.receive": "A worker reached the layer again.",
    "worker.replaced.crash": "A worker process ended that should not have, and its supervisor started another.",
    "worker.replaced.hang": "A worker process said nothing for too long; its supervisor killed it and started another.",
    "worker.restarted.error": "A worker thread failed outside its consumers and started again.",
    "worker.stopped.grace": "A worker that was told to stop did not finish in time; what it ran is lost.",
    "worker.stopped.memory": "A worker process had more memory than it may and made way for a fresh one.",
    "worker.stopped.messages": "A worker process had run as many messages as it may and made way for a fresh one.",
}
"""Each counter of this package and what it counts."""

# Reentrant: what is collected as garbage while the lock is held may count in its `finally`.
_lock = threading.RLock()
_counts: Counter[str] = Counter()


def add(name: str, amount: int = 1) -> None:
    """Add ``amount`` to the counter ``name`` of this process."""
    with _lock:
        _counts[name] += amount


def value(name: str) -> int:
    """Return the counter ``name``; 0 if it never counted."""
    with _lock:
        return _counts.get(name, 0)


def snapshot() -> dict[str, int]:
    """Return a copy of all counters of this process."""
    with _lock:
        return dict(_counts)
