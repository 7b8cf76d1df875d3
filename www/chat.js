/* The chat of the demo: a widget of the kind "chat". The plain echo of /ws uses its list of messages. */

import {isConnected} from "./commands.js";
import {$, element, isolated, keepDraft, setDraft, store} from "./dom.js";
import {timeOfDay} from "./format.js";
import {onMessage} from "./messages.js";
import {PAGE} from "./texts.js";
import {drawKind} from "./widgets.js";

const MOST_MESSAGES = 200;
const GONE = "gone";

let me = 0; // this page's id
let names = new Map(); // id -> name of the connected clients
let request = () => {}; // the widget's
let myName = store.get("my name"); // "": use the name that the board gives

function drawChat(widget) {
  request = (value, report) => widget.request(value, report);
  if (myName) request({name: myName});
  setTimeout(showPeople); // when the card is in the page
}

/* The card has two forms. One of them takes no more space when clients come and go, or when an error is shown. */
drawChat.card = (widget) => makeChat(widget.label);
drawKind("chat", drawChat);

function makeChat(label, isEcho = false) {
  const field = (id, text, control) =>
    element("div", {className: "field"}, element("label", {htmlFor: id}, text), Object.assign(control, {id}));
  const input = () => element("input", {autocomplete: "off", dir: "auto"});
  const to = element("select", {id: "to"}, new Option(PAGE.everyone, ""));
  const text = Object.assign(input(), {id: "text", maxLength: 1000, enterKeyHint: "send"});
  const name = Object.assign(input(), {id: "name", maxLength: 32, autocomplete: "nickname"});
  const title = element("h2", {id: "chat-title"}, isolated(label));
  const people = isEcho ? [] : [
    element("h3", {id: "people-title", className: "soft"}),
    element("ul", {id: "people", tabIndex: 0, "aria-labelledby": "people-title"}),
    element("form", {id: "naming"}, field("name", PAGE.name, name), element("button", {className: "quiet"}, PAGE.set)),
  ];
  const form = element("form", {id: "chat"}, ...(isEcho ? [] : [field("to", PAGE.to, to)]),
    field("text", PAGE.message, text), element("button", {}, PAGE.send));
  const card = element("section", {className: "card group chat", "aria-labelledby": title.id}, title,
    element("div", {id: "messages", className: "messages", role: "log", tabIndex: 0, "aria-labelledby": title.id},
      element("p", {id: "empty", className: "soft empty"}, isEcho ? PAGE.noEchoes : PAGE.noMessages),
      element("ol", {id: "message-list"})),
    element("p", {id: "note", className: "note", role: "alert"}), form, ...people);
  keepDraft(text);
  if (!isEcho) {
    keepDraft(name);
    if (!name.value) name.value = myName;
    people[2].onsubmit = rename;
  }
  form.onsubmit = isEcho ? sendEcho : sendMessage;
  return card;
}

function complain(text) {
  $("note").textContent = text;
}

function rename(event) {
  event.preventDefault();
  const name = $("name").value.trim();
  if (!name || !isConnected()) return;
  myName = name;
  store.set("my name", name);
  request({name}, (state, text) => { if (state === "error") complain(text); });
}

function sendMessage(event) {
  event.preventDefault();
  const text = $("text").value;
  const to = $("to").value;
  complain(!isConnected() ? PAGE.notSent : to === GONE ? PAGE.goneClient : "");
  if (!text || $("note").textContent) return;
  setDraft($("text"), "");
  request(to ? {message: text, to: Number(to)} : {message: text}, (state, reason) => {
    if (state === "lost") giveBack(text, PAGE.maybeSent);
    if (state === "error") giveBack(text, PAGE.notDelivered(reason));
    if (state === "done" && to) say(PAGE.you, text, {mine: true, how: PAGE.toOne(nameOf(Number(to)))});
  });
  $("text").focus();
}

/* Put a message back into the field where it was typed, before what has been typed since. */
let returned = "";

function giveBack(text, why) {
  const typed = $("text").value;
  const rest = returned && typed.startsWith(returned) ? typed.slice(returned.length).trim() : typed;
  returned = [rest === typed ? "" : returned, text].filter(Boolean).join(" ");
  setDraft($("text"), [returned, rest].filter(Boolean).join(" "));
  complain(why);
}

/* Show a message. who, how: texts of the page or names. */
function say(who, text, {mine = false, how = ""} = {}) {
  const box = $("messages");
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  const head = element("p", {className: "who"}, isolated(who));
  for (const more of [how, timeOfDay()].filter(Boolean)) head.append(" \u00b7 ", isolated(more));
  const said = typeof text === "string" ? text : JSON.stringify(text); // programs may send other types
  const item = element("li", {}, head, element("p", {dir: "auto"}, said));
  item.classList.toggle("mine", mine);
  item.classList.toggle("private", how !== "");
  $("message-list").append(item);
  $("empty").hidden = true;
  if ($("message-list").childElementCount > MOST_MESSAGES) $("message-list").firstElementChild.remove();
  if (atEnd) box.scrollTop = box.scrollHeight;
}

// --- clients: after a restart an id may belong to another client, so none is kept

/* The name of a client, with its id if others have the same name. */
function nameOf(id, name = names.get(id) || PAGE.client(id)) {
  const others = [...names].some(([other, theirs]) => other !== id && theirs === name);
  return others ? `${name} #${id}` : name;
}

function showPeople() {
  if (!$("people")) return;
  $("people-title").textContent = PAGE.connected(names.size);
  const focusedId = document.activeElement && document.activeElement.dataset.id;
  $("people").replaceChildren(...[...names].map(([id, name]) => {
    const face = element("span", {className: "face", "aria-hidden": "true"}, [...name][0] || "?");
    face.style.setProperty("--hue", id * 137 % 360);
    const title = element("p", {}, isolated(name || PAGE.client(id)), element("span", {className: "number"}, "#" + id));
    const item = element("li", {}, face, title);
    if (id === me) title.append(element("span", {className: "you"}, PAGE.you));
    else {
      const button = element("button", {type: "button", className: "quiet"}, PAGE.write);
      button.dataset.id = id;
      button.setAttribute("aria-label", PAGE.writeTo(nameOf(id)));
      button.onclick = () => writeTo(id);
      item.append(button);
      if (focusedId === String(id)) setTimeout(() => button.focus());
    }
    return item;
  }));
  showRecipients();
}

function writeTo(id) {
  $("to").value = String(id);
  $("text").focus();
}

function showRecipients() {
  const select = $("to");
  const chosen = select.value;
  const before = [...select.options].find((option) => option.value === chosen);
  const others = [...names.keys()].filter((id) => id !== me);
  select.replaceChildren(new Option(PAGE.everyone, ""), ...others.map((id) => new Option(nameOf(id), id)));
  if (chosen && !(chosen !== GONE && names.has(Number(chosen)))) {
    select.append(new Option(chosen === GONE ? before.textContent : PAGE.gone(before.textContent), GONE));
    select.value = GONE;
  } else {
    select.value = chosen;
  }
}

onMessage("panel", (message) => {
  me = message.id;
  names = new Map();
  if ($("people")) {
    showRecipients();
    if (myName) setTimeout(() => request({name: myName}));
  }
});

onMessage("clients", (message) => {
  names = new Map(message.clients.map((client) => [client.id, client.name]));
  showPeople();
});

onMessage("message", (message) => {
  if (!$("message-list")) return;
  const mine = message.from === me;
  const how = message.to === undefined ? "" : PAGE.toYou;
  say(mine ? PAGE.you : nameOf(message.from, message.name), message.message, {mine, how});
});

// --- the plain echo, where there are no widgets

let echo = null; // a function that sends a text

/* Show the echo; sender(text) sends one. */
export function showEcho(sender) {
  if (!echo) $("main").prepend(makeChat(PAGE.echo, true));
  echo = sender;
}

export function receiveEcho(text) {
  say(PAGE.board, text);
}

function sendEcho(event) {
  event.preventDefault();
  const text = $("text").value;
  if (!text || !echo(text)) {
    complain(text ? PAGE.notSent : "");
    return;
  }
  complain("");
  say(PAGE.you, text, {mine: true});
  setDraft($("text"), "");
}
