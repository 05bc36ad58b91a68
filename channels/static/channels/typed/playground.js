"use strict";
// The playground of typed consumers: it connects to one, sends what is in the editor, and shows what comes.
// No markup is ever made of texts: what is shown may come from anybody.
(() => {
  const MOST = 500; // entries that are kept
  const get = (id) => document.getElementById(id);
  const data = JSON.parse(get("playground-data").textContent);
  const page = get("playground");
  let consumer = null;
  let socket = null;

  // Which consumer, and where it is

  const make = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  const makeField = (parameter) => {
    const id = `parameter-${parameter.name}`;
    const label = make("label", { htmlFor: id }, `${parameter.name} `, make("span", { className: "quiet" }, parameter.pattern));
    const input = parameter.choices.length
      ? make("select", {}, ...parameter.choices.map((choice) => new Option(choice, choice)))
      : make("input", { type: "text", value: parameter.example, spellcheck: false, autocomplete: "off" });
    Object.assign(input, { id, name: parameter.name });
    return make("p", { className: "field" }, label, input);
  };

  const choose = (name) => {
    consumer = data.consumers.find((each) => each.name === name) ?? data.consumers[0];
    if (!consumer) return;
    socket?.close(1000); // It leads to another one.
    for (const link of document.querySelectorAll("[data-consumer]")) {
      if (link.dataset.consumer === consumer.name) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    get("consumer").textContent = consumer.name;
    get("description").textContent = consumer.description;
    get("path-field").hidden = consumer.path !== null && consumer.parameters.length > 0;
    get("path").value = consumer.path ?? "/";
    get("pattern").textContent = consumer.path === null ? consumer.pattern : "";
    get("parameters").replaceChildren(...consumer.parameters.map(makeField));
    get("draft").replaceChildren(...consumer.messages.map((each, index) => new Option(each.action, index)));
    showAddress();
    showDraft();
  };

  const address = () => {
    let path = get("path").value;
    for (const input of get("parameters").querySelectorAll("[name]")) {
      path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    }
    const query = get("query").value.replace(/^\?/, "");
    return get("server").value.replace(/\/+$/, "") + path + (query && `?${query}`);
  };
  const showAddress = () => { get("address").textContent = address(); };

  // The message

  const showDraft = () => {
    const draft = consumer.messages[get("draft").value];
    if (!draft) return;
    get("summary").textContent = draft.summary;
    write(JSON.stringify(draft.draft, null, 2));
  };

  const write = (text) => {
    get("text").value = text;
    complain("");
  };

  const complain = (text) => {
    get("problem").textContent = text;
    get("problem").hidden = !text;
    get("text").setAttribute("aria-invalid", String(Boolean(text)));
  };

  const parse = (text) => {
    try {
      const value = JSON.parse(text);
      complain("");
      return value;
    } catch (error) {
      complain(`This is not JSON: ${error.message}`);
      return undefined;
    }
  };

  const send = () => {
    const text = get("text").value;
    const value = parse(text);
    if (value === undefined && !get("raw").checked) return;
    if (!socket || socket.readyState !== WebSocket.OPEN) return complain("Connect first.");
    const sent = value === undefined ? text : JSON.stringify(value);
    socket.send(sent);
    show("sent", sent, text);
  };

  // The traffic

  const WAYS = { sent: "↑ sent", received: "↓ received", note: "·", trouble: "!" };

  const show = (way, text, again) => {
    const entry = get("entry").content.cloneNode(true).firstElementChild;
    const log = get("traffic");
    let value;
    try { value = JSON.parse(text); } catch { value = undefined; }
    entry.dataset.way = way;
    entry.querySelector(".way").textContent = WAYS[way];
    entry.querySelector(".action").textContent = value?.[data.action_key] ?? "";
    entry.querySelector("time").textContent = new Date().toLocaleTimeString([], { hour12: false });
    entry.querySelector("pre").textContent = value === undefined ? text : JSON.stringify(value, null, 2);
    const button = entry.querySelector(".again");
    if (again === undefined) button.remove();
    else button.addEventListener("click", () => { write(again); get("text").focus(); });
    entry.hidden = !matches(entry);
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(entry);
    while (log.children.length > MOST) log.firstElementChild.remove();
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  };
  const matches = (entry) => entry.textContent.toLowerCase().includes(get("filter").value.trim().toLowerCase());

  // The socket

  const say = (state, text) => {
    page.dataset.state = state;
    get("state").textContent = text;
    get("connect").textContent = state === "open" || state === "connecting" ? "Disconnect" : "Connect";
    get("send").disabled = state !== "open";
  };

  const connect = () => {
    const where = address();
    try {
      socket = new WebSocket(where);
    } catch (error) {
      show("trouble", `Cannot connect to ${where}: ${error.message}`);
      return;
    }
    const mine = socket;
    let wasOpen = false;
    say("connecting", "Connecting…");
    mine.addEventListener("open", () => {
      wasOpen = true;
      say("open", "Connected");
      show("note", `Connected to ${where}`);
    });
    mine.addEventListener("message", ({ data: text }) => {
      if (typeof text === "string") show("received", text);
      else show("received", `${text.size} bytes`);
    });
    mine.addEventListener("close", ({ code, reason }) => {
      const told = [`Closed with ${code}`, reason].filter(Boolean).join(": ");
      show(wasOpen ? "note" : "trouble", wasOpen ? told : `${where} was refused or could not be reached. ${told}`);
      if (mine !== socket) return;
      socket = null;
      say(wasOpen && code === 1000 ? "closed" : "lost", wasOpen ? told : "Refused");
    });
  };

  get("connection").addEventListener("submit", (event) => {
    event.preventDefault();
    if (socket) socket.close(1000);
    else connect();
  });
  for (const kind of ["input", "change"]) get("connection").addEventListener(kind, showAddress);
  get("message").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  get("text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    send();
  });
  get("text").addEventListener("input", () => complain(""));
  get("draft").addEventListener("change", showDraft);
  get("format").addEventListener("click", () => {
    const value = parse(get("text").value);
    if (value !== undefined) write(JSON.stringify(value, null, 2));
  });
  get("filter").addEventListener("input", () => {
    for (const entry of get("traffic").children) entry.hidden = !matches(entry);
  });
  get("clear").addEventListener("click", () => get("traffic").replaceChildren());
  const chosen = () => {
    try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; } // Anybody may write a link.
  };
  addEventListener("hashchange", () => choose(chosen()));

  get("server").value = data.server;
  choose(chosen());
})();
