"use strict";

const MOST_MESSAGES = 200;
const MOST_FRAMES = 200;
const WAKING = 5000; // ms for an answer after the page was hidden: the connection may be dead
const STATS = 2; // seconds between two status reports, and between two round trips

const $ = (id) => document.getElementById(id);

/* Drafts and the user's name survive a reload, unless the browser refuses to store them. */
const store = {
  get(name) {
    try { return sessionStorage.getItem(name) || ""; } catch { return ""; }
  },
  set(name, value) {
    try { sessionStorage.setItem(name, value); } catch { /* see above */ }
  },
};

let me = 0; // our id
let myName = store.get("my name"); // "": use the name that the board gives
let names = new Map(); // id -> name of the connected clients
let plain = false; // whether we use the plain echo because the demo is not available
let clock = null; // what to add to performance.now() for the board's time in ms
let marks = 0; // number of round trips begun
let begun = new Map(); // mark -> start time
let unconfirmed = []; // messages without a sign that the board has got them: {text, to, mark}

function element(kind, text, className) {
  const made = document.createElement(kind);
  if (text !== undefined) made.textContent = text; // never HTML: it may come from other users
  if (className) made.className = className;
  return made;
}

// --- the connection

const link = new Link(showState, receive);

function showState(state, {why = "", delay = 0} = {}) {
  if (state === "connecting" && ["waiting", "refused"].includes($("state").dataset.state)) {
    $("state-more").textContent = "Trying now."; // screen readers need not announce this each time
    return;
  }
  $("state").dataset.state = state;
  const text = {connecting: "Connecting", open: "Connected", waiting: "Not connected", refused: "Not available"}[state];
  if ($("state-text").textContent !== text) $("state-text").textContent = text;
  const again = delay > 1500 ? `Trying again in ${Math.round(delay / 1000)} s.` : "Trying again.";
  $("state-more").textContent = state === "waiting" ? `${why} ${again}` : "";
  $("now").hidden = state !== "waiting";
  $("refused").hidden = state !== "refused";
  $("refused-text").textContent = why;
  if (state === "open") {
    begun.clear();
    if (plain) startPlain();
  } else if (state !== "connecting") {
    giveBack(unconfirmed.splice(0), "The connection was lost. This may not have been delivered:");
  }
}

function receive(data) {
  const text = typeof data === "string" ? data : `binary, ${data.size} bytes`;
  let message = null;
  if (!plain) {
    try { message = JSON.parse(text); } catch { /* a plain answer */ }
  }
  const type = message && typeof message === "object" ? message.type : "";
  showFrame(text, false, type === "stats" || type === "echo");
  if (plain) {
    if (unconfirmed.length && unconfirmed[0].text === text) unconfirmed.shift();
    say("the board", text);
  } else if (RECEIVED[type]) {
    RECEIVED[type](message);
  }
}

function send(message, isRoutine = false) {
  const text = typeof message === "string" ? message : JSON.stringify(message);
  link.send(text);
  showFrame(text, true, isRoutine);
}

/* Begin a round trip. Its answer proves that the board has received everything sent before it. */
function measure() {
  marks += 1;
  begun.set(marks, performance.now());
  send({echo: marks}, true);
  link.expect();
}

const RECEIVED = {
  __proto__: null, // no inherited names
  welcome(message) {
    me = message.id;
    clock = null;
    setClock(message.time);
    link.settle();
    $("about").textContent = [message.board, message.version].filter(Boolean).join(" \u00b7 ");
    for (const card of ["people-card", "charts-card"]) $(card).hidden = false;
    $("led-card").hidden = !message.led;
    if (message.led) showLed(message.led);
    $("colour-row").hidden = !(message.led && message.led.color);
    forgetRecipient();
    if (myName) send({name: myName});
    watch();
  },
  clients(message) {
    names = new Map(message.clients.map((client) => [client.id, client.name]));
    showPeople(message);
  },
  message(message) {
    const mine = message.from === me;
    if (mine) confirm(message);
    say(mine ? "you" : message.name, message.message, {mine, how: message.to === undefined ? "" : "to you alone"});
  },
  led: showLed,
  stats: showStats,
  echo(message) {
    const start = begun.get(message.echo);
    if (start === undefined) return; // it was sent as a raw message
    charts.trip.add(performance.now() - start);
    begun.delete(message.echo);
    const confirmed = unconfirmed.filter((one) => one.mark <= message.echo);
    unconfirmed = unconfirmed.filter((one) => one.mark > message.echo);
    for (const one of confirmed) {
      if (one.to) say("you", one.text, {mine: true, how: "to " + nameOf(one.to)});
    }
  },
  error({command, error}) {
    // Answers come in order: those before this message have been confirmed.
    if (command === "message") giveBack(unconfirmed.splice(0, 1), "Not delivered:");
    $("note").textContent = command === "message" ? `Not delivered: ${error}` : error;
  },
};

/* Our own message has come back, so it was delivered. */
function confirm({message, to}) {
  const index = unconfirmed.findIndex((one) => one.text === message && one.to === (to || 0));
  if (index >= 0 && !to) unconfirmed.splice(index, 1);
}

// --- the board's clock: a command that arrives late is not executed

const CLOCK = 2 ** 30; // ms after which it wraps

function setClock(time) {
  if (typeof time !== "number") return;
  const offset = time - performance.now();
  const ahead = clock === null ? 0 : ((offset - clock) % CLOCK + CLOCK) % CLOCK;
  if (clock === null || ahead < CLOCK / 2) clock = offset; // the least delayed message counts
}

function boardTime() {
  return Math.floor(((performance.now() + clock) % CLOCK + CLOCK) % CLOCK);
}

/* Subscribe to status reports while the page is visible. */
function watch() {
  if (!link.isOpen || !me || plain) return;
  const visible = document.visibilityState === "visible";
  send({stats: visible ? STATS : 0}, true);
  if (!visible) return;
  link.expect(WAKING);
  measure();
}

document.addEventListener("visibilitychange", watch);
setInterval(() => {
  if (link.isOpen && me && !plain && document.visibilityState === "visible") measure();
}, 1000 * STATS);

$("now").onclick = () => link.connect();
$("again").onclick = () => start(false);
$("plain").onclick = () => start(true);

function start(asPlain) {
  plain = asPlain;
  me = 0;
  $("state").dataset.state = "";
  for (const card of ["people-card", "charts-card", "led-card"]) $(card).hidden = true;
  $("to-field").hidden = plain;
  $("chat-title").textContent = plain ? "Echo" : "Chat";
  $("empty").textContent = plain
    ? "What you send comes back. The board also sends its periodic broadcast."
    : "No messages yet. Write to everyone, or to one client.";
  link.use(plain ? "ws" : "demo");
}

function startPlain() {
  link.settle();
  $("state-more").textContent = "to the plain echo";
}

// --- the LED

function showLed(led) {
  $("led").setAttribute("aria-checked", String(led.on));
  $("lamp").classList.toggle("on", led.on);
  const by = led.by === me ? "you" : names.get(led.by);
  $("led-text").textContent = (led.on ? "on" : "off") + (by ? ", by " + by : "");
  if (led.color) {
    const hex = "#" + led.color.map((part) => part.toString(16).padStart(2, "0")).join("");
    if (led.on) $("lamp").style.setProperty("--light", hex);
    if (led.on && document.activeElement !== $("colour")) $("colour").value = hex;
  }
}

/* An absolute state and the time: repeated or late clicks do no harm. */
function sendLed(value) {
  if (me && link.isOpen) send({led: value, at: boardTime()});
}

$("led").onclick = () => sendLed($("led").getAttribute("aria-checked") === "true" ? "off" : "on");

let nextColour = 0;
$("colour").oninput = () => {
  // Dragging causes a hundred of these a second: the board gets ten.
  nextColour = nextColour || setTimeout(() => {
    nextColour = 0;
    const hex = $("colour").value;
    sendLed([1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  }, 100);
};

// --- the chat

function say(who, text, {mine = false, how = ""} = {}) {
  const box = $("messages");
  const said = typeof text === "string" ? text : JSON.stringify(text); // programs may send other types
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  const item = element("li");
  const time = new Date().toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});
  item.classList.toggle("mine", mine);
  item.classList.toggle("private", how !== "");
  item.append(
    element("p", [who, how, time].filter(Boolean).join(" \u00b7 "), "who"), element("p", said));
  $("message-list").append(item);
  $("empty").hidden = true;
  if ($("message-list").childElementCount > MOST_MESSAGES) $("message-list").firstElementChild.remove();
  if (atEnd) box.scrollTop = box.scrollHeight;
}

$("chat").onsubmit = (event) => {
  event.preventDefault();
  const text = $("text").value;
  const to = plain ? "" : $("to").value;
  const ready = link.isOpen && (plain || me);
  $("note").textContent =
    !ready ? "Not connected: your text stays here until it can be sent."
    : to === GONE ? "This client has left, or has another id now: choose again."
    : "";
  if (!text || $("note").textContent) return;
  if (plain) {
    send(text);
    link.expect();
    say("you", text, {mine: true});
  } else {
    send(to ? {to: Number(to), message: text} : {message: text});
    measure();
  }
  unconfirmed.push({text, to: Number(to), mark: marks});
  keep($("text"), "");
  $("text").focus();
};

/* Put messages back into the field where they were typed. */
function giveBack(messages, why) {
  const texts = messages.map((one) => one.text);
  if (!texts.length) return;
  keep($("text"), [...texts, $("text").value].filter(Boolean).join(" "));
  $("note").textContent = `${why} the text is back in its field.`;
}

// --- the recipients: after a restart an id may belong to another client, so none is kept

const GONE = "gone";

function nameOf(id) {
  return names.get(id) || "client " + id;
}

function showRecipients() {
  const select = $("to");
  const chosen = select.value;
  const gone = [...select.options].find((option) => option.value === chosen);
  const others = [...names].filter(([id]) => id !== me);
  select.replaceChildren(new Option("everyone", ""), ...others.map(([id]) => new Option(nameOf(id), id)));
  if (chosen && !(chosen !== GONE && names.has(Number(chosen)))) {
    const text = gone.textContent.replace(/ \(gone\)$/, "");
    select.append(new Option(text + " (gone)", GONE));
    select.value = GONE;
  } else {
    select.value = chosen;
  }
}

function forgetRecipient() {
  names = new Map();
  showRecipients();
}

function writeTo(id) {
  $("to").value = String(id);
  $("text").focus();
}

// --- who is connected

function showPeople({count}) {
  $("count").textContent = count;
  const focused = document.activeElement && document.activeElement.dataset.id;
  $("people").replaceChildren(...[...names].map(([id, name]) => {
    const item = element("li");
    const face = element("span", [...name][0] || "?", "face");
    const words = element("div");
    const title = element("p", name || "client " + id);
    face.setAttribute("aria-hidden", "true");
    face.style.setProperty("--hue", (id * 137) % 360);
    title.append(element("span", "#" + id, "number"));
    if (id === me) title.append(element("span", "you", "you"));
    const traffic = element("p", "", "soft");
    traffic.id = "traffic-" + id;
    words.append(title, traffic);
    item.append(face, words);
    if (id !== me) {
      const button = element("button", "Write", "quiet");
      button.type = "button";
      button.dataset.id = id;
      button.setAttribute("aria-label", "Write to " + name);
      button.onclick = () => writeTo(id);
      item.append(button);
      if (focused === String(id)) setTimeout(() => button.focus());
    }
    return item;
  }));
  showRecipients();
}

$("naming").onsubmit = (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  if (!name || !link.isOpen || !me) return;
  myName = name;
  store.set("my name", name);
  send({name});
};

// --- status

const charts = {
  heap: new Chart($("charts"), "Heap in use", 0, (value) => `${(value / 1024).toFixed(1)} KB`),
  cpu: new Chart($("charts"), "CPU", 100, (value) => `${Math.round(value)} %`),
  messages: new Chart($("charts"), "Messages/s", 0, (value) => value.toFixed(1)),
  trip: new Chart($("charts"), "Round trip", 0, (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`),
};

function showStats(stats) {
  setClock(stats.time);
  charts.heap.most = stats.heap.used + stats.heap.free;
  charts.heap.add(stats.heap.used);
  charts.cpu.add(100 * stats.cpu);
  charts.messages.add(stats.messages_per_second);
  const facts = [
    ["Running for", duration(stats.uptime)],
    ["Free heap", kilo(stats.heap.free)],
    ["Free system memory", kilo(stats.idf.free)],
    ["Largest free block", kilo(stats.idf.largest)],
  ];
  if (typeof stats.temperature === "number") facts.push(["Temperature", `${Math.round(stats.temperature)} \u00b0C`]);
  if (stats.wifi) facts.push(["Wi-Fi", wifi(stats.wifi)]);
  facts.push(["Traffic", kilo(stats.bytes_per_second) + "/s"]);
  $("facts").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
  for (const client of stats.clients) {
    const line = $("traffic-" + client.id);
    if (!line) continue; // a client of another path
    const waiting = client.queue ? `, ${kilo(client.queue)} queued` : "";
    line.textContent = `${client.messages} messages, ${kilo(client.bytes)}${waiting}`;
  }
}

function kilo(bytes) {
  return bytes < 1000 ? `${Math.round(bytes)}\u00a0B` : `${(bytes / 1024).toFixed(1)}\u00a0KB`;
}

function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor(minutes / 60) % 24} h`;
}

function wifi({mode, rssi, stations = []}) {
  if (mode === "ap") return stations.length === 1 ? "1 device" : `${stations.length} devices`;
  return typeof rssi === "number" ? `joined, \u2212${-rssi}\u00a0dBm` : "not connected";
}

// --- the message log

let frames = [];
let frameCount = 0;

function showFrame(text, isOut, isRoutine) {
  frameCount += 1;
  frames.unshift({text: text.length > 500 ? text.slice(0, 500) + "\u2026" : text, isOut, isRoutine});
  frames.length = Math.min(frames.length, MOST_FRAMES);
  if ($("frames-card").open) showFrames();
  $("frame-count").textContent = `${frameCount} so far`;
}

function showFrames() {
  const shown = frames.filter((frame) => $("all").checked || !frame.isRoutine);
  $("frames").replaceChildren(...shown.map((frame) => {
    const item = element("li", frame.text, frame.isOut ? "out" : "");
    item.prepend(element("span", frame.isOut ? "sent: " : "received: ", "unseen"));
    return item;
  }));
}

$("frames-card").ontoggle = $("all").onchange = showFrames;
$("clear").onclick = () => {
  frames = [];
  showFrames();
};
$("raw").onsubmit = (event) => {
  event.preventDefault();
  if (!link.isOpen || !$("frame").value) return;
  send($("frame").value);
  keep($("frame"), "");
};

// --- drafts

function keep(field, value) {
  field.value = value;
  store.set("draft of " + field.id, value);
}

for (const field of document.querySelectorAll("[data-keep]")) {
  field.value = store.get("draft of " + field.id);
  field.addEventListener("input", () => store.set("draft of " + field.id, field.value));
}
if (!$("name").value) $("name").value = myName;

start(false);
