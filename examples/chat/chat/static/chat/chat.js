// The page of a room: one socket, two streams ("chat" and "presence"), no library.
// Text frames are {"stream": ..., "payload": {...}} both ways; a binary frame is a picture.
"use strict";

const ALIVE_EVERY = 20_000; // ms; the server counts 150 s of silence as gone
const LEFT_AFTER = 2_000; // ms; who is back by then only reloaded the page
const SIGNED_OUT = 4001; // close code after a logout
const PALETTE = ["#b4336b", "#8d3fc0", "#5b53d6", "#2f66c4", "#0f7490", "#0d7a5f", "#4b7a1f", "#9a5b0a", "#b3452a", "#64607a"];

const $ = (id) => document.getElementById(id);

// ---- Small things every page has

function paint(avatar, name) {
  const hash = [...name].reduce((sum, letter) => Math.imul(sum ^ letter.codePointAt(0), 16777619), 2166136261);
  avatar.style.background = PALETTE[(hash >>> 8) % PALETTE.length];
  avatar.textContent = [...name].slice(0, 2).join("").toUpperCase();
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

document.querySelectorAll("[data-avatar]").forEach((avatar) => paint(avatar, avatar.dataset.avatar));
$("theme")?.addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax`;
});

// ---- The room

if ($("page")) openRoom(JSON.parse($("page").textContent));

function openRoom(page) {
  const log = $("log");
  const scroller = $("scroller");
  const text = $("text");
  const outbox = new Map(); // key -> what was sent and not yet confirmed
  const leaving = new Map(); // name -> timer
  const writers = new Map(); // name -> timer
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const calendar = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
  let socket = null;
  let retry = null; // timer of the next attempt to connect
  let attempts = 0;
  let isAway = false;
  let here = { users: null, version: 0 }; // who is on the list
  let latest = 0; // id of the newest message on the page
  let unread = 0;
  let lastWriting = 0;

  // -- Scrolling

  const isAtEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;

  function toEnd() {
    scroller.scrollTop = scroller.scrollHeight;
    $("down").hidden = true;
  }

  /** Run `change`, then stay at the end if the reader was there. */
  function keepPlace(change, force = false) {
    const follow = force || isAtEnd();
    change();
    if (follow) toEnd();
    else $("down").hidden = false;
  }

  scroller.addEventListener("scroll", () => isAtEnd() && ($("down").hidden = true));
  $("down").addEventListener("click", toEnd);
  let height = scroller.clientHeight; // when the window shrinks, the end stays in sight
  new ResizeObserver(() => {
    if (scroller.scrollHeight - scroller.scrollTop - height < 80) toEnd();
    height = scroller.clientHeight;
  }).observe(scroller);

  // -- Messages

  /** Fill `paragraph`, with web addresses as links; everything else stays plain text. */
  function fill(paragraph, content) {
    for (const part of content.split(/(https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]}])/)) {
      if (/^https?:\/\//.test(part)) {
        const link = Object.assign(document.createElement("a"), { href: part, textContent: part });
        link.rel = "noopener noreferrer nofollow";
        link.target = "_blank";
        paragraph.append(link);
      } else paragraph.append(part);
    }
  }

  function render(message) {
    const item = $("message").content.cloneNode(true).firstElementChild;
    const sent = new Date(message.sent);
    item.classList.toggle("own", message.author === page.user);
    Object.assign(item.dataset, { author: message.author, sent: sent.getTime(), key: message.key });
    paint(item.querySelector(".avatar"), message.author);
    item.querySelector(".author").textContent = message.author;
    item.querySelector("time").textContent = clock.format(sent);
    item.querySelector("time").dateTime = sent.toISOString();
    fill(item.querySelector(".text"), message.text);
    if (message.picture) {
      const image = Object.assign(new Image(), { src: message.picture, alt: `Picture from ${message.author}` });
      const follow = isAtEnd();
      image.addEventListener("load", () => follow && toEnd());
      item.querySelector(".bubble").append(image);
    }
    return item;
  }

  /** Give a message its day heading, and join it to the one above if they belong together. */
  function dress(item) {
    if (!item?.dataset.sent) return;
    const above = item.previousElementSibling;
    let earlier = above;
    while (earlier && !earlier.dataset.sent) earlier = earlier.previousElementSibling;
    const day = calendar.format(Number(item.dataset.sent));
    const isNewDay = !earlier || calendar.format(Number(earlier.dataset.sent)) !== day;
    if (isNewDay) item.dataset.day = day;
    else delete item.dataset.day;
    const isClose = above?.dataset.author === item.dataset.author && item.dataset.sent - above.dataset.sent < 300_000;
    item.classList.toggle("follows", !isNewDay && isClose);
  }

  /** Put a message where its id says; a message that is there already changes nothing. */
  function place(message) {
    if (log.querySelector(`[data-id="${message.id}"]`)) return false;
    const item = render(message);
    item.dataset.id = message.id;
    let next = null;
    for (let other = log.lastElementChild; other; other = other.previousElementSibling) {
      if (other.dataset.id && Number(other.dataset.id) < message.id) break;
      if (other.dataset.id || other.classList.contains("pending")) next = other;
    }
    log.insertBefore(item, next);
    dress(item);
    dress(item.nextElementSibling);
    latest = Math.max(latest, message.id);
    $("empty").hidden = true;
    return item;
  }

  function confirm(key) {
    outbox.delete(key);
    const pending = log.querySelector(`.pending[data-key="${CSS.escape(key)}"]`);
    const next = pending?.nextElementSibling;
    pending?.remove();
    dress(next);
  }

  function receive(message) {
    const isOwn = message.author === page.user;
    keepPlace(() => {
      const wasPending = outbox.has(message.key);
      if (isOwn) confirm(message.key);
      const item = place(message);
      if (item && !wasPending) item.classList.add("arrives");
    }, isOwn);
    stopWriting(message.author);
    if (document.hidden && !isOwn) showUnread(unread + 1);
  }

  function showHistory(history) {
    const { scrollHeight, scrollTop } = scroller;
    const isOlder = history.has_earlier !== undefined;
    const add = () => history.messages.forEach((message) => (confirm(message.key), place(message)));
    if (isOlder) {
      add();
      $("more").hidden = !history.has_earlier;
      scroller.scrollTop = scrollTop + scroller.scrollHeight - scrollHeight; // what was read stays in sight
    } else if (history.messages.length) keepPlace(add);
  }

  function notice(words, isProblem = false) {
    keepPlace(() => {
      const item = Object.assign(document.createElement("li"), { className: "notice arrives", textContent: words });
      item.classList.toggle("problem", isProblem);
      log.append(item);
    });
  }

  function showUnread(count) {
    unread = count;
    document.title = `${count ? `(${count}) ` : ""}${page.room} · Chat`;
  }

  document.addEventListener("visibilitychange", () => document.hidden || showUnread(0));

  // -- Who is here

  /** Show the list, unless a newer one is shown already: two workers' messages may overtake each other. */
  function showHere({ users, version }) {
    if (version < here.version) return;
    if (here.users) {
      users.filter((name) => !here.users.includes(name)).forEach(joined);
      here.users.filter((name) => !users.includes(name)).forEach(left);
    }
    here = { users, version };
    $("count").textContent = users.length;
    $("people").replaceChildren(...users.map(renderPerson));
  }

  function renderPerson(name) {
    const item = document.createElement("li");
    const avatar = Object.assign(document.createElement("span"), { className: "avatar", title: name });
    avatar.setAttribute("aria-hidden", "true");
    paint(avatar, name);
    const label = Object.assign(document.createElement("span"), { className: "name", textContent: name });
    if (name === page.user) {
      label.append(" ", Object.assign(document.createElement("span"), { className: "you", textContent: "(you)" }));
    }
    item.append(avatar, label);
    return item;
  }

  function joined(name) {
    if (name === page.user) return;
    if (!leaving.has(name)) return notice(`${name} joined`);
    clearTimeout(leaving.get(name));
    leaving.delete(name);
  }

  function left(name) {
    if (name === page.user) return;
    stopWriting(name);
    leaving.set(name, setTimeout(() => (leaving.delete(name), notice(`${name} left`)), LEFT_AFTER));
  }

  function showWriters() {
    const names = [...writers.keys()];
    const who = names.length > 2 ? "Several people are" : `${names.join(" and ")} ${names.length > 1 ? "are" : "is"}`;
    $("writing").textContent = names.length ? `${who} writing…` : "";
  }

  function startWriting(name) {
    if (name === page.user) return;
    clearTimeout(writers.get(name));
    writers.set(name, setTimeout(() => stopWriting(name), 4_000));
    showWriters();
  }

  function stopWriting(name) {
    clearTimeout(writers.get(name));
    if (writers.delete(name)) showWriters();
  }

  // -- The socket

  function send(stream, payload) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ stream, payload }));
  }

  const streams = {
    chat: {
      message: receive,
      history: showHistory,
      problem(payload) {
        if (payload.key) confirm(payload.key);
        notice(payload.text, true);
      },
    },
    presence: {
      here: showHere,
      writing: (payload) => startWriting(payload.user),
    },
  };

  function setStatus(state, words) {
    $("status").dataset.state = state;
    $("status").textContent = words;
  }

  function connect() {
    const address = new URL(page.socket, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    socket = new WebSocket(address);
    socket.onopen = () => {
      attempts = 0;
      setStatus("open", "Connected");
      send("chat", { action: "catch up", after: latest });
      outbox.forEach((content, key) => send("chat", { action: "say", text: content, key }));
    };
    socket.onmessage = (frame) => {
      if (typeof frame.data !== "string") return;
      const { stream, payload } = JSON.parse(frame.data);
      streams[stream]?.[payload.event]?.(payload);
    };
    socket.onclose = (event) => {
      if (event.code === SIGNED_OUT) return location.reload();
      if (isAway) return;
      setStatus("connecting", "Reconnecting…");
      const pause = Math.min(15_000, 500 * 2 ** attempts++) * (0.5 + Math.random());
      retry = setTimeout(connect, pause);
    };
  }

  // Browsers keep pages one has left, sockets and all, in case one goes back: that is not being here.
  addEventListener("pagehide", () => {
    isAway = true;
    clearTimeout(retry);
    socket.close();
  });
  addEventListener("pageshow", (event) => {
    isAway = false;
    if (event.persisted) connect();
  });
  setInterval(() => send("presence", { action: "alive" }), ALIVE_EVERY);

  // -- Writing

  function say(content) {
    const key = Date.now().toString(36) + Math.random().toString(36).slice(2, 12);
    outbox.set(key, content);
    const item = render({ author: page.user, key, text: content, sent: Date.now() });
    item.classList.add("pending", "arrives");
    keepPlace(() => {
      log.append(item);
      dress(item);
      $("empty").hidden = true;
    }, true);
    send("chat", { action: "say", text: content, key });
  }

  function grow() {
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight}px`;
  }

  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const content = text.value.trim();
    text.value = "";
    grow();
    text.focus();
    if (content) say(content);
  });

  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $("composer").requestSubmit();
  });

  text.addEventListener("input", () => {
    grow();
    if (Date.now() - lastWriting > 2_000) {
      lastWriting = Date.now();
      send("presence", { action: "writing" });
    }
  });

  // -- Pictures: chosen, pasted or dropped; too large ones are made smaller first

  async function shrink(file) {
    const bitmap = await createImageBitmap(file);
    for (const side of [1600, 1200, 800, 400]) {
      const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
      const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
      canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      const smaller = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
      if (smaller.size <= page.maxPictureBytes) return smaller;
    }
    return file;
  }

  async function sendPicture(file) {
    if (!file) return;
    if (socket?.readyState !== WebSocket.OPEN) return notice("Pictures can be sent once the connection is back.", true);
    try {
      socket.send(file.size > page.maxPictureBytes ? await shrink(file) : file);
    } catch {
      notice("This file cannot be read as a picture.", true);
    }
  }

  $("picture").addEventListener("change", ({ target }) => {
    sendPicture(target.files[0]);
    target.value = "";
  });
  text.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (!file) return;
    event.preventDefault();
    sendPicture(file);
  });
  const main = document.querySelector("main");
  main.addEventListener("dragover", (event) => (event.preventDefault(), main.classList.add("drop")));
  main.addEventListener("dragleave", () => main.classList.remove("drop"));
  main.addEventListener("drop", (event) => {
    event.preventDefault();
    main.classList.remove("drop");
    sendPicture(event.dataTransfer.files[0]);
  });

  // -- Begin

  page.history.messages.forEach(place);
  $("more").hidden = !page.history.has_earlier;
  $("empty").hidden = page.history.messages.length > 0;
  $("more").querySelector("button").addEventListener("click", () => {
    send("chat", { action: "earlier", before: Number(log.querySelector("[data-id]")?.dataset.id ?? 0) });
  });
  document.querySelector(".rooms [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  toEnd();
  connect();
}
