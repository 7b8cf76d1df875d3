/* The settings page. The board describes the fields and their rules; SETTINGS in texts.js has their texts. */

import {$, element, nameBoard, translate} from "./dom.js";
import {COMMON, SETTINGS} from "./texts.js";

const OPENING = 8000; // ms until an attempt times out
const RESTARTING = 3000; // ms until the first attempt after a restart

translate({...COMMON, ...SETTINGS});

let secret = ""; // the admin password
let summary = null; // the first message of the board
let received = new Map(); // section -> its message
let socket = null;
let fields = new Map(); // "section.name" -> {read(), input(), first: the old value as JSON, ...}
let saving = false;
let uploaded = null; // the settings of a file that is being saved, instead of those of the form

// --- the board

function bytes(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/* Connect to /settings with the password. Throws an Error with a text for the user. */
async function open() {
  let status = 0;
  try {
    // The WebSocket API hides the reason of a refusal, so ask by HTTP first.
    const headers = {Authorization: "Bearer " + bytes(secret)};
    status = (await fetch("settings", {headers, cache: "no-store", signal: AbortSignal.timeout(OPENING)})).status;
  } catch { /* it does not answer */ }
  if (status !== 426) throw new Error(SETTINGS.why[status] || SETTINGS.noAnswer);
  const offer = btoa(bytes(secret)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const address = new URL("settings", document.baseURI); // relative, for proxies with a path prefix
  address.protocol = address.protocol.replace("http", "ws");
  const opened = new WebSocket(address, ["settings", "bearer." + offer]);
  await new Promise((resolve, reject) => {
    opened.onopen = resolve;
    opened.onclose = () => reject(new Error(SETTINGS.noSlot));
  });
  opened.onclose = (event) => closed(opened, event);
  opened.onmessage = (event) => receive(JSON.parse(event.data));
  socket = opened;
}

function closed(one, {code, reason}) {
  if (one !== socket) return;
  socket = null;
  if (code === 1013) complain(SETTINGS.notSent(reason));
  else if (saving) complain(SETTINGS.maybeSaved);
  setSaving(false);
}

function receive(message) {
  if (message.type === "settings") {
    summary = message;
    if (message.unconfirmed) socket.send(JSON.stringify({confirm: true})); // this page works with them
    if (!fields.size) askForSection();
  } else if (message.type === "section") {
    received.set(message.section, message);
    askForSection();
  } else if (message.type === "confirmed") {
    showConfirmed();
  } else if (message.type === "problems") {
    showProblems(message.problems);
  } else if (message.type === "saved") {
    showSaved(message);
  } else if (message.type === "crashlog" || message.type === "config") {
    receiveFile(message);
  } else if (message.type === "restarting") {
    showRestarting(message.do);
  } else {
    complain(message.error);
  }
  if (["problems", "saved", "error"].includes(message.type)) {
    uploaded = null;
    setSaving(false);
  }
}

/* Ask for one section after the other: the board has not enough memory for all of them at once. */
function askForSection() {
  const next = summary.sections.find((section) => !received.has(section));
  if (next) socket.send(JSON.stringify({show: next}));
  else if (!fields.size) build();
}

/* Show an error at the login or above the settings. */
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

function build() {
  nameBoard(`${SETTINGS.title}: ${summary.name}`);
  $("board").textContent = SETTINGS.of(summary.name);
  const known = Object.keys(SETTINGS.sections);
  const order = (name) => (known.includes(name) ? known.indexOf(name) : known.length);
  for (const section of [...received.keys()].sort((a, b) => order(a) - order(b))) buildSection(section);
  showProblems(summary.problems, SETTINGS.inFile);
  $("login-card").hidden = true;
  $("password").value = "";
  $("settings").hidden = false;
  buildMaintenance();
  if (!document.querySelector("[aria-invalid=true]")) $("settings-title").focus();
}

/* Fields that have no texts are shown by their names, after the others. */
function buildSection(section) {
  const {values, rules} = received.get(section);
  const {title = section, main = [], fields: texts = {}} = SETTINGS.sections[section] || {};
  const known = Object.keys(texts);
  const order = ([name]) => (known.includes(name) ? known.indexOf(name) : known.length);
  const sorted = [...rules].sort((a, b) => order(a) - order(b));
  const make = (rule) => control(section, rule, values[rule[0]], texts[rule[0]] || [rule[0].replaceAll("_", " ")]);
  const box = element("fieldset", {className: "card"}, element("legend", {}, title),
    ...sorted.filter(([name]) => main.includes(name)).map(make));
  const others = sorted.filter(([name]) => !main.includes(name));
  if (others.length) {
    const summaryText = main.length ? SETTINGS.more : SETTINGS.show;
    box.append(element("details", {}, element("summary", {}, summaryText), ...others.map(make)));
  }
  $("sections").append(box);
}

function control(section, [name, kind, ...limits], value, [label, hint, choices = {}]) {
  const id = `${section}.${name}`;
  const note = element("p", {id: id + "-note", className: "note"});
  const described = [note.id];
  const state = summary.secrets[id];
  const made = state !== undefined ? choosePassword(id, label, kind, state)
    : kind === "choice" ? choose(limits, choices, value) : (INPUTS[kind.replace(" or null", "")] || INPUTS.text)(value);
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
  texts(value) {
    const {input} = INPUTS.text(value.join(" "));
    return {input, read: () => input.value.split(/[\s,]+/).filter(Boolean)};
  },
};
INPUTS.int = INPUTS.number;

/* Return a number, null for an empty text, or the text itself, which the board will refuse. */
function asNumber(text) {
  text = text.trim().replace(",", ".");
  if (!text) return null;
  return Number.isFinite(Number(text)) ? Number(text) : text;
}

function choose(values, words, value) {
  const input = element("select", {}, ...values.map((one) => new Option(words[one ?? ""] || one, one ?? "")));
  input.value = value ?? "";
  return {input, read: () => input.value || null};
}

/* The page does not know the passwords: one is kept, or replaced by another one. */
function choosePassword(id, label, kind, state) {
  const kept = SETTINGS.secret[state];
  const offered = {password: ["generated", "set", "none"], secret: ["generated", "set"]}[kind] || ["set", "none"];
  const input = element("select", {}, new Option(SETTINGS.unchanged(kept), ""));
  for (const key of offered) {
    if (key === "set") input.append(new Option(state === "set" ? SETTINGS.newOne : SETTINGS.secret.set, key));
    else if (key !== state) input.append(new Option(key === "none" && kind === "password" ? SETTINGS.openNetwork : SETTINGS.secret[key], key));
  }
  const fresh = element("input", {type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: false, hidden: true});
  fresh.id = id + "-new";
  fresh.setAttribute("aria-label", SETTINGS.newPassword(label));
  fresh.setAttribute("aria-describedby", id + "-note");
  input.onchange = () => {
    fresh.hidden = input.value !== "set";
    if (!fresh.hidden) fresh.focus();
    count();
  };
  const read = () => ({"": undefined, generated: null, none: "", set: fresh.value})[input.value];
  return {input, more: [fresh], read, shown: () => (fresh.hidden ? input : fresh)};
}

/* Return the changes as {section: {field: value}}. */
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
  $("changed").textContent = SETTINGS.changed(number);
}

function showProblems(problems, prefix = "") {
  const words = (text) => prefix + SETTINGS.problem(text);
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
    $("changed").textContent = SETTINGS.nothingToSave;
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
  if (now) $("changed").textContent = SETTINGS.saving;
  else if (fields.size) count();
}

// --- afterwards

/* Say where the board will be, for every change. */
function showSaved({confirm = 0}) {
  const {wifi = {}, server = {}, tls = {}, admin = {}, network} = uploaded || changes();
  const value = (id) => {
    const [section, name] = id.split(".");
    return uploaded?.[section]?.[name] ?? fields.get(id).read();
  };
  const moved = network || ["mode", "ssid", "password", "station_ssid", "station_password", "ip"].some((name) => name in wifi);
  $("settings").hidden = $("maintenance").hidden = true;
  $("done").hidden = false;
  $("done-title").focus();
  const texts = [];
  const isStation = value("wifi.mode") !== "ap";
  if (moved) {
    texts.push(isStation ? SETTINGS.joinOther(value("wifi.station_ssid"), value("wifi.ssid"))
      : SETTINGS.joinOwn(value("wifi.ssid")));
  }
  if ("ip" in wifi && !isStation) texts.push(SETTINGS.newAddress(wifi.ip));
  if ("hostname" in wifi) texts.push(SETTINGS.newName(wifi.hostname));
  const secure = location.protocol === "https:";
  const tlsOff = secure && tls.enabled === false;
  const port = tlsOff ? value("server.port") : (secure ? tls : server).port;
  const isName = location.hostname.endsWith(".local");
  const host = moved && isStation ? value("wifi.hostname") + ".local"
    : "ip" in wifi && !isStation ? wifi.ip
    : "hostname" in wifi && isName ? wifi.hostname + ".local" : location.hostname;
  const scheme = tlsOff ? "http:" : location.protocol;
  if (tlsOff) texts.push(SETTINGS.tlsOff);
  if (!secure && (tls.redirect || tls.enabled)) texts.push(SETTINGS.tlsOn(host, value("tls.port")));
  const current = port ?? (location.port ? Number(location.port) : undefined);
  const standard = current === undefined || current === (scheme === "https:" ? 443 : 80);
  $("done-link").href = `${scheme}//${host}${standard ? "" : ":" + current}${location.pathname.replace(/[^/]*$/, "")}`;
  if (typeof admin.password === "string") secret = admin.password;
  if (admin.password === null) texts.push(SETTINGS.generated);
  if (admin.enabled === false) texts.push(SETTINGS.adminOff);
  const elsewhere = Boolean(moved || port !== undefined || host !== location.hostname || tlsOff || tls.redirect
    || admin.password === null || admin.enabled === false);
  if (elsewhere && confirm) {
    const settingsPage = new URL("settings.html", $("done-link").href).href;
    texts.push(SETTINGS.logInAgain(Math.round(confirm / 60), settingsPage));
  }
  $("done-text").textContent = texts.join(" ");
  setTimeout(() => reconnect(elsewhere), RESTARTING);
}

/* Wait until the board is back at the same address, and confirm the changes: else it reverts them. */
async function reconnect(elsewhere) {
  $("done-link").hidden = false;
  if (elsewhere) {
    $("done-state").textContent = SETTINGS.restarted;
    return;
  }
  try {
    await open();
  } catch {
    $("done-state").textContent = SETTINGS.restarting;
    setTimeout(() => reconnect(elsewhere), 2000);
  }
}

function showConfirmed() {
  if ($("done").hidden) return;
  $("done-state").textContent = SETTINGS.confirmed;
  socket.close();
}

// --- maintenance

let fileText = ""; // what has come of a file so far

function buildMaintenance() {
  $("maintenance").hidden = false;
  $("tools").append(...Object.entries(SETTINGS.do).map(([name, label]) => {
    const button = element("button", {type: "button", className: "quiet"}, label);
    button.onclick = () => {
      if (!(name in SETTINGS.sure) || confirm(SETTINGS.sure[name])) act({do: name});
    };
    return button;
  }));
}

async function act(command) {
  $("note").textContent = "";
  fileText = "";
  try {
    if (!socket) await open();
    socket.send(JSON.stringify(command));
  } catch (error) {
    complain(error.message);
  }
}

function receiveFile({type, text, next}) {
  fileText += text;
  if (next !== null) {
    socket.send(JSON.stringify({do: type, from: next}));
  } else if (type === "crashlog") {
    $("crashlog").hidden = false;
    $("crashlog").textContent = fileText || SETTINGS.emptyLog;
    $("crashlog").focus();
  } else {
    const link = element("a", {download: `${summary.name}.json`, href: URL.createObjectURL(new Blob([fileText || "{}"]))});
    link.click();
    URL.revokeObjectURL(link.href);
  }
}

/* Uploaded settings are checked and confirmed like those of the form. */
$("upload").onchange = async () => {
  const file = $("upload").files[0];
  if (!file) return;
  let save = null;
  try { save = JSON.parse(await file.text()); } catch { /* reported below */ }
  $("upload").value = "";
  if (save === null || typeof save !== "object" || Array.isArray(save)) complain(SETTINGS.uploadError);
  else {
    setSaving(true);
    uploaded = save;
    act({save});
  }
};

function showRestarting(name) {
  $("settings").hidden = $("maintenance").hidden = true;
  $("done").hidden = false;
  $("done-title").textContent = SETTINGS.maintenance;
  const text = SETTINGS.maintained[name];
  $("done-text").textContent = typeof text === "function" ? text(fields.get("wifi.ssid").read()) : text;
  $("done-link").hidden = name !== "restart";
  $("done-state").textContent = "";
  $("done-title").focus();
}

addEventListener("beforeunload", (event) => {
  if ($("done").hidden && Object.keys(changes()).length) event.preventDefault();
});
