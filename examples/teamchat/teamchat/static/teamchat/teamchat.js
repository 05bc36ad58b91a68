// The page of a room: one socket for the conversation, one for what concerns the user wherever the page is.
// Each message is an object with an action; what the actions mean is shown below /sockets/.
"use strict";

const page = JSON.parse(document.getElementById("page").textContent);
const $ = (id) => document.getElementById(id);
const TYPING = 3000; // milliseconds for which somebody counts as typing
let isAskingEarlier = false;
let typed = 0;
let typingTimer = null;

/** Connect to a path and hand each message to the function that is named for its action. */
function open(path, actions) {
  // What is said while there is no connection waits for the next one.
  const bridge = new channels.WebSocketBridge({ queueSize: 20, shouldReconnect: () => !bridge.isRefused });
  bridge.connect(path);
  bridge.listen((message) => {
    if (message.action === "authentication" && message.payload.status_code !== 200) bridge.isRefused = true;
    actions[message.action]?.(message.payload, message);
  });
  return bridge;
}

// ---- The conversation

function say(state, text) {
  $("status").dataset.state = state;
  $("status").textContent = text;
}

function show({ id, author, text, sent }, isMine, before = null) {
  const item = $("message").content.cloneNode(true).firstElementChild;
  item.dataset.id = id;
  item.classList.toggle("mine", isMine);
  item.querySelector("strong").textContent = author;
  item.querySelector(".text").textContent = text;
  const time = item.querySelector("time");
  time.dateTime = sent;
  time.textContent = new Date(sent).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  $("messages").insertBefore(item, before);
}

function scrollToEnd() {
  $("scroll").scrollTop = $("scroll").scrollHeight;
}

const room = open(page.socket, {
  authentication({ status_code, data }) {
    if (status_code === 200) say("open", "Connected");
    else say("refused", data.detail);
  },
  history({ messages, has_earlier }) {
    const first = isAskingEarlier ? $("messages").firstElementChild : null;
    // After every connection comes what was said lately: the page begins anew.
    if (!isAskingEarlier) $("messages").replaceChildren();
    for (const each of messages) show(each, each.author === page.user, first);
    $("earlier").hidden = !has_earlier;
    if (!isAskingEarlier) scrollToEnd();
    isAskingEarlier = false;
  },
  said(said, { is_mine }) {
    show(said, is_mine);
    scrollToEnd();
    $("typing").textContent = "";
  },
  somebody_types(author, { is_mine }) {
    if (is_mine) return;
    $("typing").textContent = `${author} is typing…`;
    clearTimeout(typingTimer);
    typingTimer = setTimeout(() => { $("typing").textContent = ""; }, TYPING);
  },
  topic({ topic, may_change }) {
    $("topic").textContent = topic;
    $("change-topic").hidden = !may_change;
  },
  invited({ username, outcome }) { $("invited").textContent = `${username}: ${outcome}`; },
  error(payload) { say("open", payload.detail ?? payload.map(({ msg }) => msg).join("; ")); },
});
room.socket.addEventListener("close", () => { if (!room.isRefused) say("lost", "Reconnecting…"); });

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  room.send({ action: "say", payload: { text: $("text").value } });
  $("text").value = "";
});
$("text").addEventListener("input", () => {
  if ($("status").dataset.state !== "open" || Date.now() - typed < TYPING / 2) return;
  typed = Date.now();
  room.send({ action: "typing" });
});
$("earlier").addEventListener("click", () => {
  isAskingEarlier = true;
  const before = Number($("messages").firstElementChild.dataset.id);
  room.send({ action: "earlier", payload: { before } });
});
$("invite")?.addEventListener("submit", (event) => {
  event.preventDefault();
  room.send({ action: "invite", payload: { username: $("who").value } });
  event.target.reset();
});
$("change-topic").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  await fetch(form.action, { method: "POST", body: new FormData(form) });
  form.reset();
});

// ---- The inbox

const inbox = open(page.inbox, {
  room({ slug, title, address }) {
    $("refused").hidden = true;
    if (document.querySelector(`[data-room="${CSS.escape(slug)}"]`)) return;
    const link = document.createElement("a");
    Object.assign(link, { href: address, textContent: title, className: "new" });
    link.dataset.room = slug;
    const item = document.createElement("li");
    item.append(link);
    $("rooms").append(item);
  },
  refused(text) {
    $("refused").textContent = text;
    $("refused").hidden = false;
  },
});
$("open-room").addEventListener("submit", (event) => {
  event.preventDefault();
  inbox.send({ action: "open_room", payload: { title: $("room-title").value } });
  event.target.reset();
});
