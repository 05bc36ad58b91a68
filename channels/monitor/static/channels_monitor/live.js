"use strict";
// The page asks for a picture of a layer over its socket, draws it, and asks again. A question that nobody answers is
// news as well: then no worker takes it. No markup is ever made of texts: names may come from anybody.
(() => {
  const EVERY = 2000; // milliseconds between an answer and the next question
  const SILENT = 6000; // milliseconds without an answer that are told
  const AGAIN = 20000; // milliseconds without an answer after which the question may be lost
  const REMEMBERED = 150; // points of a chart
  const LEAST = 30; // of so many it makes room at first
  const SVG = "http://www.w3.org/2000/svg";
  const UNAUTHORIZED = 4403;

  const page = document.getElementById("channels-monitor");
  const layer = document.getElementById("cm-layer");
  const get = (id) => document.getElementById(id);
  let asked = null; // when the question was sent that is not answered yet
  let askedAgain = 0; // when it was last sent
  let before = null; // the last picture, and when it came
  let timer = null;

  const say = (state, text) => {
    page.dataset.state = state;
    get("cm-state").textContent = text;
  };

  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };

  const duration = (seconds) => {
    if (seconds < 1) return seconds ? `${Math.round(seconds * 1000)}ms` : "0";
    for (const [unit, size] of [["d", 86400], ["h", 3600], ["m", 60]]) {
      if (seconds >= 2 * size) return `${Math.round(seconds / size)}${unit}`;
    }
    return `${seconds.toFixed(1)}s`;
  };
  const number = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(1));

  // Charts

  class Chart {
    constructor(title, show = number) {
      this.values = [];
      this.show = show;
      const figure = make("figure");
      const caption = make("figcaption", title);
      this.now = caption.appendChild(make("span", "", "now"));
      this.svg = document.createElementNS(SVG, "svg");
      this.svg.setAttribute("viewBox", "0 0 100 40");
      this.svg.setAttribute("preserveAspectRatio", "none");
      this.svg.setAttribute("role", "img");
      this.line = this.svg.appendChild(document.createElementNS(SVG, "polyline"));
      this.most = make("div", "", "most");
      figure.append(caption, this.svg, this.most);
      get("cm-charts").append(figure);
      this.title = title;
    }

    add(value) {
      this.values = [...this.values, value].slice(-REMEMBERED);
      const most = Math.max(...this.values);
      const step = 100 / (Math.max(LEAST, this.values.length) - 1);
      const from = 100 - step * (this.values.length - 1);
      const points = this.values.map((each, at) => [from + step * at, 39 - (38 * each) / (most || 1)]);
      this.line.setAttribute("points", points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(" "));
      this.now.textContent = this.show(value);
      this.most.textContent = `most: ${this.show(most)}`;
      this.svg.setAttribute("aria-label", `${this.title}: ${this.show(value)}, most ${this.show(most)}`);
    }

    clear() {
      this.values = [];
      this.line.setAttribute("points", "");
      this.now.textContent = this.most.textContent = "";
    }
  }

  const charts = {
    rate: new Chart("Messages per second"),
    pending: new Chart("Unread messages"),
    oldest: new Chart("Oldest unread message", duration),
    busy: new Chart("Busy worker threads"),
    connections: new Chart("Open connections"),
  };

  // Tables

  const table = (name, columns, rows) => {
    const head = make("tr");
    head.append(...columns.map((column) => make("th", column)));
    const lines = rows.map(({ cells, bad }) => {
      const line = make("tr", undefined, bad ? "bad" : "");
      line.append(...cells.map((cell) => make("td", cell)));
      return line;
    });
    if (!lines.length) {
      const none = make("td", "none");
      none.colSpan = columns.length;
      lines.push(make("tr"));
      lines[0].append(none);
    }
    const [top, body] = [make("thead"), make("tbody")];
    top.append(head);
    body.append(...lines);
    page.querySelector(`table[data-rows="${name}"]`).replaceChildren(top, body);
  };

  const load = (row) =>
    row.kind === "worker" ? `${row.busy ?? 0}/${row.threads ?? 1} busy` : `${row.connections ?? 0} connections`;

  const channelRows = (picture, seconds) => {
    const earlier = new Map((before?.picture.channels ?? []).map((row) => [row.name, row.sent]));
    const rate = (row) => Math.max(0, row.sent - (earlier.get(row.name) ?? row.sent)) / seconds;
    return picture.channels
      .map((row) => ({ ...row, rate: rate(row) }))
      .sort((one, other) => other.pending - one.pending || other.rate - one.rate || (one.name < other.name ? -1 : 1))
      .map((row) => ({
        cells: [
          row.name,
          row.capacity === null ? row.pending : `${row.pending}/${row.capacity}`,
          duration(row.age),
          row.rate.toFixed(1),
          row.refused,
          row.workers,
        ],
        bad: row.is_full,
      }));
  };

  const draw = (picture) => {
    const at = performance.now();
    const seconds = before ? Math.max((at - before.at) / 1000, 0.001) : 1;
    const sent = before ? Math.max(0, picture.sent - before.picture.sent) : 0;
    get("cm-name").textContent = picture.name;
    get("cm-groups").textContent = `(${picture.group_count})`;
    for (const name of ["pending", "oldest", "busy", "connections"]) charts[name].add(picture[name]);
    if (before) charts.rate.add(sent / seconds);
    table("channels", ["channel", "unread", "oldest", "per s", "refused", "workers"], channelRows(picture, seconds));
    table(
      "processes",
      ["process", "host", "pid", "version", "up", "heard", "load", "metrics"],
      picture.processes.map((row) => ({
        cells: [
          row.kind,
          row.host,
          row.pid,
          row.version ?? "-",
          duration(row.uptime),
          duration(row.heard),
          load(row),
          row.metrics ?? "-",
        ],
      })),
    );
    table(
      "consumers",
      ["consumer", "runs", "total", "mean"],
      picture.consumers.map(([name, runs, total]) => ({
        cells: [name, runs, duration(total), duration(total / Math.max(runs, 1))],
      })),
    );
    table("groups", ["group", "members"], picture.groups.map((row) => ({ cells: row })));
    table(
      "counters",
      ["counter", "count"],
      picture.counters.map((row) => ({ cells: row, bad: row[0].includes(".dropped.") })),
    );
    before = { picture, at };
  };

  // The socket

  const bridge = new channels.WebSocketBridge({ shouldReconnect: (event) => event.code !== UNAUTHORIZED });
  bridge.connect(`${location.pathname}live/`);

  const ask = () => {
    if (bridge.socket.readyState !== WebSocket.OPEN) return;
    askedAgain = performance.now();
    asked ??= askedAgain;
    bridge.send({ layer: layer.value });
  };

  bridge.listen((answer) => {
    if (answer.layer !== undefined && answer.layer !== layer.value) return; // of the layer that was shown before
    asked = null;
    if (answer.error) {
      say("lost", answer.error);
    } else {
      draw(answer);
      say("live", answer.is_inspected ? "live" : "live; this layer cannot tell of channels, groups and processes");
    }
    clearTimeout(timer);
    timer = setTimeout(ask, EVERY);
  });

  bridge.socket.addEventListener("open", () => {
    say("connecting", "connected, asking");
    ask();
  });
  bridge.socket.addEventListener("close", (event) => {
    asked = null;
    clearTimeout(timer);
    if (event.code === UNAUTHORIZED) say("refused", "you may not look any more: log in again");
    else say("lost", "no connection; trying again");
  });
  layer.addEventListener("change", () => {
    before = null;
    Object.values(charts).forEach((chart) => chart.clear());
    clearTimeout(timer);
    asked = null;
    ask();
  });
  setInterval(() => {
    const silent = asked === null ? 0 : performance.now() - asked;
    if (silent > SILENT) say("silent", `no answer for ${duration(silent / 1000)}: does any worker run?`);
    if (asked !== null && performance.now() - askedAgain > AGAIN) ask();
  }, 1000);
})();
