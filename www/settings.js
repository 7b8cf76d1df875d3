"use strict";

const OPENING = 8000; // ms until the board counts as gone
const RESTARTING = 3000; // ms until it is worth looking whether it is back

const OPEN = "none: open to everybody";
const OWN = "one of your own";
const MADE_UP = "made up by the board, printed on its serial port";

/* [section, title, [fields that most change], [the others]]; a field: [name, label, kind, hint]. What a field may be, the
   board knows. Kinds: an object {value: words} is a choice; "number?" may be empty, which is null. */
const SECTIONS = [
  ["wifi", "Wi-Fi", [
    ["mode", "The board", {ap: "opens a Wi-Fi of its own", station: "joins a Wi-Fi that is there"}],
    ["ssid", "Name of its own Wi-Fi", "text", "Also for the Wi-Fi that it opens when it cannot join another."],
    ["password", "Password of its own Wi-Fi", {generated: MADE_UP, set: OWN, none: OPEN}],
    ["station_ssid", "Name of the Wi-Fi to join", "text"],
    ["station_password", "Password of the Wi-Fi to join", {set: OWN, none: "none"}],
    ["captive_portal", "Open the page by itself on phones that join", "flag"],
  ], [
    ["hostname", "Name of the board", "text", "http://NAME.local/ leads to it."],
    ["channel", "Channel", "number"],
    ["hidden", "Do not announce its Wi-Fi's name", "flag"],
    ["max_stations", "Devices that may join", "number"],
    ["ip", "Its address in its own Wi-Fi", "text"],
    ["country", "Country", "text", "Two letters, such as DE; empty: channels and power that are allowed everywhere."],
    ["station_timeout", "Seconds to try to join another Wi-Fi", "number"],
  ]],
  ["broadcast", "Broadcast", [
    ["text", "What is sent to everyone at /ws", "text", "{} becomes a count."],
    ["interval", "Every so many seconds", "number", "0: never."],
  ], []],
  ["server", "Server", [
    ["port", "Port", "number"],
    ["max_clients", "Clients at the same time", "number", "A chip has 10 sockets in all."],
    ["max_size", "Longest message, in bytes", "number"],
  ], [
    ["ping_interval", "Seconds of silence until a client is asked", "number?", "Empty: never."],
    ["ping_timeout", "Seconds it has to answer", "number?", "Empty: for ever."],
    ["close_timeout", "Seconds that a goodbye may take", "number"],
    ["open_timeout", "Seconds that a request may take", "number"],
    ["purge", "When there is no place left", {"": "newcomers are refused", lru: "the client idle longest goes"}],
    ["write_limit", "Bytes that may wait for one client", "number?", "Empty: as many as an echo needs."],
    ["read_size", "Bytes that are read at once", "number?", "Empty: 4128."],
    ["max_head", "Longest request head, in bytes", "number"],
  ]],
  ["tls", "https:// and wss://", [
    ["enabled", "Serve them, where there is a certificate", "flag"],
    ["redirect", "Send browsers there from http://", "flag"],
  ], [
    ["port", "Port", "number"],
    ["max_clients", "Connections at the same time", "number", "Each takes 22 KB; a chip without PSRAM has room for two."],
    ["cert", "File of the certificate", "text"],
    ["key", "File of its key", "text"],
    ["client_ca", "File of the authority of clients' certificates", "text", "Empty: clients need none."],
  ]],
  ["demo", "Demonstration and LED", [
    ["enabled", "Serve the demonstration at /demo", "flag"],
  ], [
    ["led_pin", "Pin of the LED", "number?", "Empty: that of the chip's usual board. -1: there is none."],
    ["led_kind", "Kind of LED", {"": "as on the chip's usual board", pin: "on when the pin is high", pin_low: "on when the pin is low", neopixel: "one with colours"}],
  ]],
  ["admin", "Admin", [
    ["password", "Admin's password", {generated: MADE_UP, set: OWN}],
  ], []],
  ["limits", "Limits for each address", [], [
    ["connections", "Connections at the same time", "number?", "Empty, here and below: no limit."],
    ["handshakes", "Requests in a minute", "number?"],
    ["messages", "Messages in a second", "number?"],
    ["bytes", "Bytes in a second", "number?"],
  ]],
  ["access", "Who may connect", [], [
    ["hosts", "Names of the board, beside its own", "words", "With spaces between them."],
    ["origins", "Pages from elsewhere that may connect", "words", "Such as http://localhost:5500; * is all."],
    ["proxies", "Addresses of trusted reverse proxies", "words", "Their X-Forwarded-For is believed."],
  ]],
  ["watchdog", "Watchdog", [], [
    ["timeout", "Restart when nothing has moved for so many seconds", "number", "0: never."],
  ]],
];

const $ = (id) => document.getElementById(id);

let secret = ""; // the admin's password, for as long as the page is there
let socket = null;
let fields = new Map(); // "section.name" -> {read(), show(problem), first: what it was}
let saving = false;

function element(kind, properties = {}, ...children) {
  const made = Object.assign(document.createElement(kind), properties);
  made.append(...children);
  return made;
}

// --- the board

function bytes(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/* Open /settings with the password. An Error says, in words, why that cannot be done. */
async function open() {
  let status = 0;
  try {
    // A WebSocket that is refused does not say why: so it is asked before.
    const headers = {Authorization: "Bearer " + bytes(secret)};
    status = (await fetch("/settings", {headers, cache: "no-store", signal: AbortSignal.timeout(OPENING)})).status;
  } catch { /* it does not answer */ }
  if (status !== 426) throw new Error(WHY[status] || "The board does not answer. Is this device still in its Wi-Fi?");
  const offer = btoa(bytes(secret)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const scheme = location.protocol === "https:" ? "wss://" : "ws://";
  const opened = new WebSocket(scheme + location.host + "/settings", ["settings", "bearer." + offer]);
  await new Promise((resolve, reject) => {
    opened.onopen = resolve;
    opened.onclose = () => reject(new Error("The board has no place or no memory free: try again in a while."));
  });
  opened.onclose = (event) => closed(opened, event);
  opened.onmessage = (event) => receive(JSON.parse(event.data));
  socket = opened;
}

const WHY = {
  401: "That is not the password.",
  404: "This board does not let its settings be changed here: admin.enabled is off in its config.json.",
  429: "Too many wrong passwords. Wait a minute, without trying.",
};

function closed(one, {code, reason}) {
  if (one !== socket) return;
  socket = null;
  if (code === 1013) complain(`The board could not show its settings: ${reason}. Try again in a while.`);
  else if (saving) complain("The connection was lost. Whether it was saved, the board's page tells after a reload.");
  setSaving(false);
}

function receive(message) {
  if (message.type === "settings") {
    if (!fields.size) build(message);
  } else if (message.type === "problems") {
    showProblems(message.problems);
  } else if (message.type === "saved") {
    showSaved();
  } else {
    complain(message.error);
  }
  if (message.type !== "settings") setSaving(false);
}

/* Where it is seen: at the password, or above the settings. */
function complain(text) {
  const note = $("settings").hidden ? "login-note" : "note";
  $(note).textContent = text;
  $(note).scrollIntoView({block: "nearest"});
}

$("login").onsubmit = async (event) => {
  event.preventDefault();
  const button = event.submitter || $("login").querySelector("button");
  secret = $("password").value;
  if (!secret || button.disabled) return;
  $("login-note").textContent = "";
  button.disabled = true;
  try {
    await open();
  } catch (error) {
    complain(error.message);
    $("password").select();
  }
  button.disabled = false;
};

// --- the form

function build({settings, secrets, problems}) {
  for (const [section, title, main, others] of SECTIONS) {
    if (!settings[section]) continue;
    const known = (field) => field[0] in settings[section] || `${section}.${field[0]}` in secrets;
    const make = (field) => control(section, field, settings[section][field[0]], secrets[`${section}.${field[0]}`]);
    const box = element("fieldset", {className: "card"}, element("legend", {}, title), ...main.filter(known).map(make));
    if (others.some(known)) {
      box.append(element("details", {}, element("summary", {}, main.length ? "More" : "Show"), ...others.filter(known).map(make)));
    }
    $("sections").append(box);
  }
  showProblems(problems, "In the board's file: ");
  $("login-card").hidden = true;
  $("password").value = "";
  $("settings").hidden = false;
  if (!document.querySelector("[aria-invalid=true]")) $("settings-title").focus();
}

function control(section, [name, label, kind, hint], value, state) {
  const id = `${section}.${name}`;
  const note = element("p", {id: id + "-note", className: "note"});
  const described = [note.id];
  const made = state !== undefined ? choosePassword(id, label, kind, state) : INPUTS[kind] ? INPUTS[kind](value) : choose(kind, value);
  made.input.id = id;
  const words = element("label", {htmlFor: id}, label);
  const box = element("div", {className: "setting"});
  if (kind === "flag") {
    words.className = "check";
    words.prepend(made.input);
    box.append(words);
  } else {
    box.append(words, made.input, ...(made.more || []));
  }
  if (hint) {
    box.append(element("p", {id: id + "-hint", className: "soft"}, hint));
    described.push(id + "-hint");
  }
  box.append(note);
  made.input.setAttribute("aria-describedby", described.join(" "));
  box.oninput = count;
  fields.set(id, {
    section, name, box, note,
    read: made.read,
    input: made.shown || (() => made.input),
    first: JSON.stringify(made.read()),
  });
  return box;
}

const INPUTS = {
  __proto__: null,
  text(value) {
    const input = element("input", {value, autocomplete: "off", autocapitalize: "off", spellcheck: false});
    return {input, read: () => input.value};
  },
  number(value) {
    const input = element("input", {type: "text", inputMode: "decimal", value: value ?? "", autocomplete: "off"});
    return {input, read: () => asNumber(input.value)};
  },
  flag(checked) {
    const input = element("input", {type: "checkbox", checked});
    return {input, read: () => input.checked};
  },
  words(value) {
    const {input} = INPUTS.text(value.join(" "));
    return {input, read: () => input.value.split(/[\s,]+/).filter(Boolean)};
  },
};
INPUTS["number?"] = INPUTS.number;

/* A number; null for nothing; what is neither, as it is, for the board to complain of. */
function asNumber(text) {
  text = text.trim().replace(",", ".");
  if (!text) return null;
  return Number.isFinite(Number(text)) ? Number(text) : text;
}

function choose(choices, value) {
  const input = element("select", {}, ...Object.entries(choices).map(([key, words]) => new Option(words, key)));
  input.value = value ?? "";
  return {input, read: () => input.value || null};
}

/* A password that is there is not known here: it is kept, or another one takes its place. */
function choosePassword(id, label, choices, state) {
  const kept = {generated: "made up by the board", set: "your own", none: "none"}[state];
  const input = element("select", {}, new Option(`unchanged: ${kept}`, ""));
  for (const [key, words] of Object.entries(choices)) {
    if (key === "set") input.append(new Option(state === "set" ? "a new one" : words, key));
    else if (key !== state) input.append(new Option(words, key));
  }
  const fresh = element("input", {type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: false, hidden: true});
  fresh.id = id + "-new";
  fresh.setAttribute("aria-label", label + ": the new one");
  fresh.setAttribute("aria-describedby", id + "-note");
  input.onchange = () => {
    fresh.hidden = input.value !== "set";
    if (!fresh.hidden) fresh.focus();
    count();
  };
  const read = () => ({"": undefined, generated: null, none: "", set: fresh.value})[input.value];
  return {input, more: [fresh], read, shown: () => (fresh.hidden ? input : fresh)};
}

/* {section: {field: value}} of what was changed. */
function changes() {
  const found = {};
  for (const {section, name, read, first} of fields.values()) {
    const value = read();
    if (JSON.stringify(value) !== first) (found[section] ??= {})[name] = value;
  }
  return found;
}

function count() {
  const number = Object.values(changes()).reduce((sum, values) => sum + Object.keys(values).length, 0);
  $("changed").textContent = number ? `${number} changed, not saved yet.` : "Nothing is changed.";
}

function showProblems(problems, prefix = "") {
  const words = (text) => prefix + text
    .replace("be int ", "be a whole number ").replace("be number ", "be a number ").replace(/, without .*/, "");
  let first = null;
  for (const [id, {box, note, input}] of fields) {
    const text = problems[id] ? words(problems[id]) + "." : "";
    note.textContent = text.slice(0, 1).toUpperCase() + text.slice(1);
    input().removeAttribute("aria-invalid");
    if (!text) continue;
    input().setAttribute("aria-invalid", "true");
    const details = box.closest("details");
    if (details) details.open = true;
    first ||= input();
  }
  const others = Object.entries(problems).filter(([id]) => !fields.has(id));
  $("note").textContent = others.map(([id, text]) => [id, words(text)].filter(Boolean).join(": ")).join(". ");
  if (first && !prefix) first.focus();
}

$("settings").onsubmit = async (event) => {
  event.preventDefault();
  const save = changes();
  if (saving) return;
  if (!Object.keys(save).length) {
    $("changed").textContent = "Nothing is changed, so there is nothing to save.";
    return;
  }
  $("note").textContent = "";
  setSaving(true);
  try {
    if (!socket) await open();
    socket.send(JSON.stringify({save}));
  } catch (error) {
    setSaving(false);
    complain(error.message);
  }
};

function setSaving(now) {
  saving = now;
  $("save").disabled = now;
  if (now) $("changed").textContent = "Saving.";
  else if (fields.size) count();
}

// --- afterwards

function showSaved() {
  const {wifi = {}, server = {}, tls = {}} = changes();
  const moved = ["mode", "ssid", "password", "station_ssid", "station_password", "ip"].some((name) => name in wifi);
  $("settings").hidden = true;
  $("done").hidden = false;
  $("done-title").focus();
  if (moved) {
    $("done-text").textContent = "Its Wi-Fi has changed: join " + (fields.get("wifi.mode").read() === "ap"
      ? `"${fields.get("wifi.ssid").read()}" again. If it cannot be found, the board's serial port says why.`
      : `"${fields.get("wifi.station_ssid").read()}". If the board cannot join it, it opens "${fields.get("wifi.ssid").read()}" instead.`);
  }
  const secure = location.protocol === "https:";
  const port = (secure ? tls : server).port;
  if (port !== undefined) {
    const standard = port === (secure ? 443 : 80);
    $("done-link").href = `${location.protocol}//${location.hostname}${standard ? "" : ":" + port}/`;
  }
  setTimeout(() => lookForIt(moved || port !== undefined), RESTARTING);
}

/* Wait for the board, where it will be at the same address. */
async function lookForIt(elsewhere) {
  $("done-link").hidden = false;
  if (elsewhere) {
    $("done-state").textContent = "The board has restarted.";
    return;
  }
  try {
    await fetch("./", {method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(OPENING)});
    $("done-state").textContent = "The board is back.";
  } catch {
    $("done-state").textContent = "The board is restarting.";
    setTimeout(() => lookForIt(elsewhere), 2000);
  }
}

addEventListener("beforeunload", (event) => {
  if ($("done").hidden && Object.keys(changes()).length) event.preventDefault();
});
