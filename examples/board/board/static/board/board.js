// The page of a board: one socket, one stream ("cards"), which is a data binding.
// Every change goes to the server first; the page shows what the server says has become of a card.
"use strict";

const PALETTE = ["#b4336b", "#8d3fc0", "#5b53d6", "#2f66c4", "#0f7490", "#0d7a5f", "#4b7a1f", "#9a5b0a", "#b3452a"];
const STATES = { open: "Connected", lost: "Reconnecting…" };
const page = JSON.parse(document.getElementById("page").textContent);
const $ = (id) => document.getElementById(id);
const cards = new Map(); // pk -> its element
let waiting = null; // changes that arrive while the cards are being loaded

function paint(avatar, name) {
  const sum = [...name].reduce((total, letter) => (total * 33) ^ letter.codePointAt(0), 7) >>> 0;
  avatar.style.background = PALETTE[sum % PALETTE.length];
  avatar.textContent = [...name].slice(0, 2).join("").toUpperCase();
}

// ---- What the page shows

function listOf(column) {
  return document.querySelector(`[data-column="${column}"] .cards`);
}

/** Show a card as it is now: on another place, with another text, or for the first time. */
function show({ pk, data }) {
  const item = cards.get(pk) ?? create(pk, data.owner_name);
  item.dataset.column = data.column;
  item.querySelector(".text").textContent = data.text;
  const list = listOf(data.column);
  const next = [...list.children].find((other) => Number(other.dataset.pk) > pk) ?? null;
  if (item.parentElement !== list) list.insertBefore(item, next);
  if (item.draggable) {
    item.querySelector(".back").disabled = data.column === page.columns[0];
    item.querySelector(".on").disabled = data.column === page.columns.at(-1);
  }
}

function create(pk, owner) {
  const item = $("card").content.cloneNode(true).firstElementChild;
  item.dataset.pk = pk;
  item.querySelector(".owner").textContent = owner;
  paint(item.querySelector(".avatar"), owner);
  if (owner === page.user) own(item, pk);
  else item.querySelector(".tools").remove();
  cards.set(pk, item);
  return item;
}

/** Give a card of this user what it can be changed with. */
function own(item, pk) {
  item.classList.add("own");
  item.draggable = true;
  item.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", pk));
  const step = (by) => () => update(pk, { column: page.columns[page.columns.indexOf(item.dataset.column) + by] });
  item.querySelector(".back").addEventListener("click", step(-1));
  item.querySelector(".on").addEventListener("click", step(1));
  item.querySelector(".delete").addEventListener("click", () => ask({ action: "delete", pk }));
  item.querySelector(".edit").addEventListener("click", () => edit(item, pk));
  const move = item.querySelector(".move");
  move.add(new Option("Move to…", ""));
  for (const board of page.boards) if (board.pk !== page.board) move.add(new Option(board.title, board.pk));
  move.addEventListener("change", () => update(pk, { board: Number(move.value) }));
}

function edit(item, pk) {
  const text = item.querySelector(".text");
  const before = text.textContent;
  const finish = (isChanged) => {
    text.contentEditable = "false";
    text.onblur = text.onkeydown = null;
    const after = text.textContent.trim();
    text.textContent = before; // until the server says so
    if (isChanged && after !== before) update(pk, { text: after });
  };
  text.contentEditable = "plaintext-only";
  text.onblur = () => finish(true);
  text.onkeydown = (event) => {
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault();
      finish(event.key === "Enter");
    }
  };
  text.focus();
  getSelection().selectAllChildren(text);
}

function forget(pk) {
  cards.get(pk)?.remove();
  cards.delete(pk);
}

function count() {
  for (const column of page.columns) {
    listOf(column).parentElement.querySelector(".count").textContent = listOf(column).children.length;
  }
}

function complain(words) {
  const problem = Object.assign(document.createElement("p"), { className: "problem", textContent: words });
  $("problems").append(problem);
  setTimeout(() => problem.remove(), 8_000);
}

function showState(state) {
  $("status").dataset.state = state;
  $("status").textContent = STATES[state];
}

// ---- What comes and goes over the socket

const bridge = new channels.WebSocketBridge({ queueSize: 100 }); // what is done while disconnected is sent later
const stream = bridge.stream("cards");

function ask(change) {
  try {
    stream.send(change);
  } catch (error) {
    complain(error.message);
  }
}

function update(pk, data) {
  ask({ action: "update", pk, data });
}

function take(change) {
  if (waiting) waiting.push(change);
  else {
    if (change.action === "delete") forget(change.pk);
    else show(change);
    count();
  }
}

/** Load all cards, then apply what has happened meanwhile: on every connection, since changes may have been missed. */
async function load() {
  const later = [];
  waiting = later;
  try {
    const answer = await fetch(`${page.address}cards/`);
    if (waiting !== later) return; // another connection is loading them
    if (!answer.ok || answer.redirected) throw new Error("no cards came");
    const loaded = (await answer.json()).cards;
    if (waiting !== later) return;
    const present = new Set(loaded.map(({ pk }) => pk));
    [...cards.keys()].filter((pk) => !present.has(pk)).forEach(forget);
    loaded.forEach(show);
    showState("open");
  } catch (error) {
    if (waiting === later) complain(`The cards could not be loaded: ${error.message}. Reload the page.`);
  } finally {
    if (waiting === later) {
      waiting = null;
      later.forEach(take);
      count();
    }
  }
}

bridge.demultiplex("cards", take, {
  onerror: ({ detail, fields }) => complain([detail, ...Object.values(fields ?? {}).flat()].join(" ")),
});
bridge.connect(`${page.address}socket/`);
bridge.listen();
bridge.socket.addEventListener("open", load);
bridge.socket.addEventListener("close", () => showState("lost"));

// ---- Forms, and dragging cards on to columns and boards

$("new").addEventListener("submit", (event) => {
  event.preventDefault();
  ask({ action: "create", data: { board: page.board, column: page.columns[0], text: $("text").value.trim() } });
  $("text").value = "";
});

$("paste").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
    if (answer.ok) form.reset();
    else complain((await answer.json()).problem);
  } catch {
    complain("The list could not be sent.");
  }
});

for (const target of document.querySelectorAll(".column, nav [data-board]")) {
  const { column, board } = target.dataset;
  const light = (isOver) => () => target.classList.toggle("over", isOver);
  target.addEventListener("dragenter", light(true));
  target.addEventListener("dragleave", (event) => target.contains(event.relatedTarget) || light(false)());
  target.addEventListener("dragover", (event) => event.preventDefault());
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    light(false)();
    update(Number(event.dataTransfer.getData("text/plain")), column ? { column } : { board: Number(board) });
  });
}

document.querySelectorAll("[data-avatar]").forEach((avatar) => paint(avatar, avatar.dataset.avatar));
