/* The settings page. The board describes the fields and their rules; SETTINGS in texts.js has their texts. */

import {$, element, nameBoard, translate} from "./dom.js";
import {readText, startMaintenance} from "./maintenance.js";
import {outcome} from "./outcome.js";
import {COMMON, MAINTENANCE, OUTCOME, SETTINGS} from "./texts.js";

const OPENING = 8000; // ms until an attempt times out
const ANSWERING = 20000; // ms until a command without an answer has failed
const RESTARTING = 3000; // ms until the first attempt after a restart
const REVERTING = 20000; // ms that the board takes to revert a change
const LOG = 1500; // characters of the crash log that are shown

translate({...COMMON, ...SETTINGS});

let secret = ""; // the admin password
let summary = null; // the first message of the board
let version = ""; // of the settings in the form
let received = new Map(); // section -> its message
let socket = null;
let fields = new Map(); // "section.name" -> {read(), input(), first: the old value as JSON, ...}
let isBuilt = false; // whether the form was shown before
let saving = false;
let uploaded = null; // the settings of a file that is being saved, instead of those of the form
let waiting = null; // {resolve, reject} of the command of maintenance that is on its way
let mayBePlain = false; // whether the board accepts the password over http
let held = false; // whether a tool has the board for itself
const editor = {isDirty: () => false}; // of the tool that has one
let queue = Promise.resolve(); // ends when all of these are answered

// --- the board

function bytes(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/* Ask by HTTP, because the WebSocket API hides the reason of a refusal. The board does not log the question. Throws an
   Error with a text for the user, the status, and the link to the https address if the board requires it. */
async function knock(path, headers) {
  let status = 0;
  let link;
  try {
    const answer = await fetch(path + "?ask", {headers, cache: "no-store", signal: AbortSignal.timeout(OPENING)});
    status = answer.status;
    link = status === 200 && (await answer.text()).match(/https:\S+/)?.[0];
  } catch { /* it does not answer */ }
  if (!link && status === 200) return;
  const text = link ? SETTINGS.secureOnly : SETTINGS.why[status] || SETTINGS.noAnswer;
  throw Object.assign(new Error(text), {status: link ? 403 : status, link});
}

/* Ask whether http is enough, before the password is sent. Throws the errors of knock(). */
async function askWhetherPlain() {
  await knock("settings");
  mayBePlain = true;
}

/* Return a WebSocket to a path of the admin, opened with the password. Throws the errors of knock(). */
async function connect(path) {
  if (location.protocol === "http:" && !mayBePlain) await askWhetherPlain();
  await knock(path, {Authorization: "Bearer " + bytes(secret)});
  const offer = btoa(bytes(secret)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const address = new URL(path, document.baseURI); // relative, for proxies with a path prefix
  address.protocol = address.protocol.replace("http", "ws");
  const opened = new WebSocket(address, [path, "bearer." + offer]);
  await new Promise((resolve, reject) => {
    opened.onopen = resolve;
    opened.onclose = () => reject(new Error(SETTINGS.noSlot));
  });
  opened.binaryType = "arraybuffer";
  return opened;
}

/* Connect to /settings. Throws the errors of knock(). */
async function open() {
  const opened = await connect("settings");
  opened.onclose = (event) => closed(opened, event);
  opened.onmessage = ({data}) => (typeof data === "string" ? receive(JSON.parse(data)) : waiting?.resolve(data));
  socket = opened;
}

/* Close the connection to /settings: the board may have memory and TLS sessions for one only. */
async function release() {
  await queue;
  const old = socket;
  socket = null;
  if (!old || old.readyState > 1) return;
  await new Promise((resolve) => {
    old.onclose = resolve;
    old.close();
  });
}

async function connectTool(path) {
  await release();
  return connect(path);
}

/* Send a command of maintenance, or the bytes that it has announced. Return a promise of the answer: a message, or
   bytes. One follows the other. */
function ask(command) {
  const answer = queue.then(() => askNow(command));
  queue = answer.catch(() => {});
  return answer;
}

async function askNow(command) {
  if (!socket) await open();
  const answer = new Promise((resolve, reject) => { waiting = {resolve, reject}; });
  const timer = setTimeout(() => waiting.reject(new Error(SETTINGS.noAnswer)), ANSWERING);
  socket.send(command instanceof Uint8Array ? command : JSON.stringify(command));
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
    waiting = null;
  }
}

function closed(one, {code, reason}) {
  if (one !== socket) return;
  socket = null;
  waiting?.reject(new Error(SETTINGS.lost));
  if (code === 1013) complain(SETTINGS.notSent(reason));
  else if (saving) complain(SETTINGS.maybeSaved);
  setSaving(false);
}

function receive(message) {
  if (message.type === "settings") {
    summary = message;
    if (message.unconfirmed) socket.send(JSON.stringify({confirm: true})); // this page works with them
    else showConfirmed(false);
    if (fields.size) return;
    version = message.version;
    askForSection();
  } else if (message.type === "section") {
    received.set(message.section, message);
    askForSection();
  } else if (message.type === "confirmed") {
    showConfirmed(true);
  } else if (message.type === "problems") {
    showProblems(message.problems);
  } else if (message.type === "saved") {
    showSaved(message);
  } else if (message.type === "changed") {
    showChanged(uploaded);
  } else if (message.type === "restarting") {
    waiting?.resolve(message);
    showRestarting(message.do);
  } else if (waiting) {
    if (message.type === "error") waiting.reject(new Error(COMMON.error(message.error)));
    else waiting.resolve(message);
    return;
  } else {
    complain(message.error);
  }
  if (["problems", "saved", "changed", "error"].includes(message.type)) {
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

/* Show an error at the login or above the settings, and the address to use instead. */
function complain(text, link) {
  const note = $("settings").hidden ? "login-note" : "note";
  $(note).replaceChildren(text, ...(link ? [" ", element("a", {href: link}, link)] : []));
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
    complain(error.message, error.link);
    $("password").select();
  }
  button.disabled = false;
};

if (location.protocol === "http:") {
  askWhetherPlain().catch((error) => {
    complain(error.message, error.link);
    $("login").hidden = Boolean(error.link); // a password is of no use here
  });
}

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
  if (summary.reset) complain(SETTINGS.afterReset);
  if (isBuilt) return;
  isBuilt = true;
  $("maintenance").hidden = false;
  startMaintenance({
    ask, editor, mayRestart, saveUploaded, complain, release, maxSize, name: summary.name, connect: connectTool, password: () => secret,
    clear: () => showProblems({}), hold: (flag) => { held = flag; }, isIdle: () => !saving && !held && $("done").hidden,
  });
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
  $("note").textContent = others.map(([id, text]) => [id, words(text)].filter(Boolean).join(": ") + ".").join(" ");
  if (first && !prefix) first.focus();
}

$("settings").onsubmit = (event) => {
  event.preventDefault();
  const save = changes();
  if (saving) return;
  if (!Object.keys(save).length) $("changed").textContent = SETTINGS.nothingToSave;
  else if (mayRestart()) sendSave(save);
};

/* Other settings were saved since the form was filled: let the user choose. */
function showChanged(file) {
  const button = (label, onclick) => element("button", {type: "button", className: "quiet", onclick}, label);
  const save = file || changes();
  complain(SETTINGS.changedMeanwhile);
  $("note").append(element("span", {className: "row tools"},
    button(SETTINGS.saveAnyway, () => {
      uploaded = file;
      sendSave(save, null);
    }),
    button(SETTINGS.loadAgain, async () => {
      await release();
      fields.clear();
      received.clear();
      $("sections").replaceChildren();
      await open().catch((error) => complain(error.message, error.link));
    })));
  $("note").scrollIntoView({block: "nearest"});
}

/* known: the version of the settings that may be changed; null: any. */
async function sendSave(save, known = version) {
  $("note").textContent = "";
  setSaving(true);
  await queue; // the answer to a command of maintenance comes first
  try {
    if (!socket) await open();
    socket.send(JSON.stringify({save, version: known}));
  } catch (error) {
    uploaded = null;
    setSaving(false);
    complain(error.message, error.link);
  }
}

function setSaving(now) {
  saving = now;
  $("save").disabled = now;
  if (now) $("changed").textContent = SETTINGS.saving;
  else if (fields.size) count();
}

// --- afterwards

/* Say where the board will be, for every change. */
function showSaved({confirm = 0}) {
  const changed = uploaded ? withoutEqual(uploaded) : changes();
  const value = (id) => {
    const [section, name] = id.split(".");
    return uploaded?.[section]?.[name] ?? fields.get(id).read();
  };
  const hostname = JSON.parse(fields.get("wifi.hostname").first);
  const {texts, link, elsewhere} = outcome(changed, value, hostname, location);
  showDone(SETTINGS.saved);
  $("done-link").href = link;
  if (typeof changed.admin?.password === "string") secret = changed.admin.password;
  if (elsewhere && confirm) {
    texts.push(OUTCOME.logInAgain(Math.round(confirm / 60), new URL("settings.html", link).href));
  }
  $("done-text").textContent = texts.join(" ");
  const end = Date.now() + confirm * 1000 + REVERTING;
  setTimeout(() => reconnect(elsewhere, end), RESTARTING);
}

/* An uploaded file may have all settings: leave out those that stay the same. Passwords are not known here. */
function withoutEqual(settings) {
  const found = {};
  for (const [section, values] of Object.entries(settings)) {
    const others = Object.entries(values).filter(([name, value]) => {
      const field = fields.get(`${section}.${name}`);
      const state = summary.secrets[`${section}.${name}`];
      if (state !== undefined) return !(value === null && state === "generated" || value === "" && state === "none");
      return !field || field.first !== JSON.stringify(value);
    });
    if (others.length) found[section] = Object.fromEntries(others);
  }
  return found;
}

function showDone(title) {
  $("settings").hidden = $("maintenance").hidden = true;
  $("done").hidden = false;
  $("done-title").textContent = title;
  $("done-title").focus();
}

/* Wait until the board is back at the same address, and confirm the changes: else it reverts them. */
async function reconnect(elsewhere, end) {
  $("done-link").hidden = false;
  if (elsewhere) {
    $("done-state").textContent = SETTINGS.restarted;
    return;
  }
  try {
    await open();
  } catch (error) {
    if (error.link) { // the change has enabled TLS, or requires it
      $("done-link").href = error.link;
      $("done-state").textContent = SETTINGS.confirmThere(error.link);
      return;
    }
    $("done-state").textContent = Date.now() < end ? SETTINGS.restarting : OUTCOME.lost;
    setTimeout(() => reconnect(elsewhere, end), 2000);
  }
}

/* The board is back: the change is confirmed, or it was reverted meanwhile. */
async function showConfirmed(isConfirmed) {
  if ($("done").hidden) return;
  if (isConfirmed) $("done-state").textContent = SETTINGS.confirmed;
  else await showReverted();
  socket?.close();
}

/* Say why the board has reverted the change, as far as its crash log has the reason. */
async function showReverted() {
  showDone(OUTCOME.notKept);
  $("done-text").textContent = "";
  const log = await readText({ask}, "crashlog").catch(() => "");
  const reason = log.slice(log.lastIndexOf("\nsettings: "));
  const isLate = reason.startsWith("\nsettings: not confirmed");
  const hasFailed = /^\nsettings: \d+ starts failed/.test(reason);
  $("done-state").textContent = isLate ? OUTCOME.reverted : hasFailed ? OUTCOME.notStarted : OUTCOME.unknown;
  $("done-log").textContent = log.slice(-LOG) || MAINTENANCE.emptyLog;
  $("done-log").hidden = isLate;
}

// --- maintenance

function showRestarting(name) {
  showDone(SETTINGS.maintenance);
  const [ssid, ip, port] = ["wifi.ssid", "wifi.ip", "server.port"].map((id) => JSON.parse(fields.get(id).first));
  const own = {forget: `http://${ip}${port === 80 ? "" : ":" + port}/`, reset: "http://192.168.4.1/"}[name];
  const text = SETTINGS.maintained[name];
  $("done-text").textContent = own ? text(own, ssid) : text;
  $("done-link").href = own || "./";
  $("done-link").hidden = false;
  $("done-state").textContent = "";
}

const maxSize = () => JSON.parse(fields.get("server.max_size").first);

/* Return whether no text is unsaved, or the user agrees to lose it. */
const mayRestart = () => !editor.isDirty() || confirm(MAINTENANCE.unsaved);

/* Uploaded settings are checked and confirmed like those of the form. */
async function saveUploaded(save) {
  if (saving) return;
  uploaded = save;
  await sendSave(save);
}

addEventListener("beforeunload", (event) => {
  if ($("done").hidden && Object.keys(changes()).length) event.preventDefault();
});
