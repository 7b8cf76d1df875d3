/* Draw the widgets that the board describes, and show whether each value is current, pending or stale. */

import {Chart} from "./chart.js";
import {command, isConnected} from "./commands.js";
import {$, element, isolated} from "./dom.js";
import {valueText} from "./format.js";
import {drawIcon} from "./icons.js";
import {onMessage} from "./messages.js";
import {PAGE} from "./texts.js";

const DRAG = 100; // ms between two values of a slider that is dragged
const KIND = {__proto__: null}; // kind -> function(widget) that draws it

let described = []; // descriptions so far
let drawn = ""; // those that are shown, without their values
const widgets = new Map(); // id -> Widget
let askBoard = null;

/* Draw widgets of a kind with draw(widget). */
export function drawKind(kind, draw) {
  KIND[kind] = draw;
}

/* Ask the board for its widgets with this function from now on. */
export function describeWith(send) {
  askBoard = send;
}

/* A widget on the page. description: from the board. value: the latest known one. */
class Widget {
  constructor(description) {
    this.description = description;
    this.id = description.id;
    this.label = description.label;
    this.value = description.value;
    this.waiting = 0; // commands without an answer
    this.note = element("p", {className: "note", role: "status", id: `note-${this.id}`});
    this.titled = element("span", {className: "label", id: `label-${this.id}`}, isolated(this.label));
    this.controls = [];
    this.show = () => {};
    this.box = element("div", {className: "widget", "data-kind": description.kind}, ...drawIcon(description.icon), this.titled);
    this.mark("current");
  }

  /* Add a control, which is disabled without a connection. */
  add(control) {
    control.setAttribute("aria-labelledby", this.titled.id);
    control.setAttribute("aria-describedby", this.note.id);
    this.controls.push(control);
    this.box.append(control);
    return control;
  }

  mark(state) {
    this.box.dataset.state = state;
    this.box.setAttribute("aria-busy", String(state === "pending"));
  }

  /* A value from the board. While a command waits, the user's own value stays. */
  update(value) {
    this.value = value;
    if (this.note.dataset.kind === "error") this.say("");
    if (!this.waiting) this.refresh();
  }

  refresh() {
    this.mark("current");
    this.show(this.value);
  }

  /* kind: "error", "slow" or "lost". */
  say(text, kind = "") {
    if (this.note.textContent !== text) this.note.textContent = text;
    this.note.dataset.kind = kind;
  }

  /* Send a value of a custom widget; report as for command(). */
  request(value, report = () => {}) {
    command(this.id, value, report);
  }

  /* Send a value to the board. done() is called when it has been answered. */
  send(value, done = () => {}) {
    this.waiting += 1;
    command(this.id, value, (state, text) => {
      if (state === "pending" || state === "slow") {
        this.mark("pending");
        this.say(state === "slow" ? PAGE.slow : "", state);
        return;
      }
      this.waiting -= 1;
      this.say(state === "lost" ? PAGE.lost : state === "error" ? text : "", state);
      if (state === "lost") this.mark("stale");
      else if (!this.waiting) this.refresh();
      done();
    });
  }
}

// --- the kinds

drawKind("value", (widget) => {
  const {description, box} = widget;
  if (description.chart || description.history) {
    box.replaceChildren();
    widget.chart = new Chart(box, description);
    widget.note = widget.chart.note;
    widget.show = (value) => { if (typeof value !== "number") widget.chart.text.textContent = valueText(value); };
    return;
  }
  const shown = element("output", {"aria-labelledby": widget.titled.id});
  box.append(shown);
  widget.show = (value) => shown.replaceChildren(isolated(valueText(value, description.unit)));
});

drawKind("switch", (widget) => {
  const words = element("span", {className: "state-word", "aria-hidden": "true"});
  widget.box.append(words);
  const button = widget.add(element("button", {type: "button", className: "switch", role: "switch"}));
  widget.show = (value) => {
    button.setAttribute("aria-checked", String(Boolean(value)));
    words.textContent = value ? PAGE.on : PAGE.off;
  };
  button.onclick = () => {
    const wanted = button.getAttribute("aria-checked") !== "true";
    widget.show(wanted);
    widget.send(wanted);
  };
});

drawKind("slider", (widget) => {
  const {minimum, maximum, step, unit} = widget.description;
  const shown = element("output", {"aria-hidden": "true"});
  widget.box.append(shown);
  const input = widget.add(element("input", {type: "range", min: minimum, max: maximum, step}));
  const write = (value) => {
    shown.textContent = valueText(value, unit);
    input.setAttribute("aria-valuetext", valueText(value, unit));
  };
  widget.show = (value) => {
    input.value = value ?? minimum;
    write(value);
  };
  sendLatest(widget, input, () => Number(input.value), write);
});

/* Send the values of an input that changes all the time: one command at a time, and always the latest value. */
function sendLatest(widget, input, read, write) {
  let busy = false;
  let changed = false;
  const next = () => {
    busy = changed = true;
    changed = false;
    widget.send(read(), () => setTimeout(() => {
      busy = false;
      if (changed) next();
    }, DRAG));
  };
  input.oninput = () => {
    write(read());
    changed = true;
    if (!busy) next();
  };
}

drawKind("button", (widget) => {
  widget.titled.remove();
  const button = widget.add(element("button", {type: "button"}, isolated(widget.label)));
  button.removeAttribute("aria-labelledby");
  button.onclick = () => widget.send(null);
});

drawKind("select", (widget) => {
  const options = widget.description.choices.map((choice) => new Option(choice, choice));
  const select = widget.add(element("select", {}, ...options));
  widget.show = (value) => { select.value = value ?? ""; };
  select.onchange = () => widget.send(select.value);
});

drawKind("text", (widget) => {
  const input = element("input", {maxLength: widget.description.size, autocomplete: "off", dir: "auto"});
  const form = element("form", {}, input, element("button", {className: "quiet"}, PAGE.set));
  input.setAttribute("aria-labelledby", widget.titled.id);
  input.setAttribute("aria-describedby", widget.note.id);
  widget.controls.push(input, form.lastChild);
  widget.box.append(form);
  widget.show = (value) => { if (document.activeElement !== input) input.value = value ?? ""; };
  form.onsubmit = (event) => {
    event.preventDefault();
    widget.send(input.value);
  };
});

drawKind("colour", (widget) => {
  const input = widget.add(element("input", {type: "color"}));
  widget.show = (value) => { input.value = value ?? "#000000"; };
  sendLatest(widget, input, () => input.value, () => {});
});

// --- the page

/* Draw all widgets, in cards for their groups. The same widgets as before keep their elements. */
function drawAll() {
  const shape = JSON.stringify(described.map((one) => ({...one, value: null, error: null})));
  if (shape === drawn) {
    for (const {id, value, error} of described) {
      widgets.get(id).update(value);
      if (error) showError({id, error});
    }
  } else {
    drawn = shape;
    widgets.clear();
    for (const old of document.querySelectorAll(".group")) old.remove();
    const sorted = [...described].sort((a, b) => (a.order || 0) - (b.order || 0) || a.id - b.id);
    const cards = new Map(); // group -> its card
    for (const description of sorted) draw(description, cards);
    $("main").prepend(...cards.values());
  }
  for (const one of described) if (one.history) askBoard({history: one.id});
  showConnection();
  $("log-card").hidden = false;
}

function draw(description, cards) {
  const widget = new Widget(description);
  widgets.set(widget.id, widget);
  const kind = KIND[description.kind] || drawUnknown;
  const group = kind.card ? `card of ${widget.id}` : description.group || "";
  if (!cards.has(group)) cards.set(group, kind.card ? kind.card(widget) : makeCard(group));
  kind(widget);
  if (widget.chart) {
    const card = cards.get(group);
    if (!card.charts) card.querySelector("h2").after(card.charts = element("div", {className: "charts"}));
    card.charts.append(widget.chart.figure);
  } else if (!kind.card) {
    widget.box.append(widget.note);
    cards.get(group).append(widget.box);
  }
  widget.refresh();
  if (description.error) showError(description);
}

function makeCard(group) {
  const title = element("h2", {id: `group-${group}`}, isolated(group || PAGE.controls));
  return element("section", {className: "card group", "aria-labelledby": title.id}, title);
}

function drawUnknown(widget) {
  widget.box.append(element("p", {className: "soft"}, PAGE.unknownKind(widget.description.kind)));
}

/* Enable the controls while there is a connection. A control keeps the focus that it had. */
let focused = null;

export function showConnection() {
  const online = isConnected();
  if (!online && widgets.size) focused = focused || document.activeElement;
  for (const widget of widgets.values()) {
    for (const control of widget.controls) {
      control.disabled = !online;
      control.title = online ? "" : PAGE.offline;
    }
    if (!online) widget.mark("stale");
  }
  if (online && focused) {
    if (document.activeElement === document.body) focused.focus();
    focused = null;
  }
}

/* Show that the values are old, although the connection is not closed. */
export function markStale() {
  for (const widget of widgets.values()) widget.mark("stale");
}

onMessage("panel", () => {
  described = [];
  askBoard({describe: 0});
});

onMessage("widgets", (message) => {
  if (message.first !== described.length) return;
  described.push(...message.widgets);
  if (message.next === null) drawAll();
  else askBoard({describe: message.next});
});

onMessage("values", ({values}) => {
  for (const widget of widgets.values()) {
    if (widget.id in values) widget.update(values[widget.id]);
    else if (!widget.waiting && widget.box.dataset.state === "stale") widget.mark("current");
    if (widget.chart && widget.description.kind === "value") widget.chart.add(widget.note.dataset.kind === "error" ? null : widget.value);
  }
});

onMessage("history", (message) => {
  const widget = widgets.get(message.id);
  if (widget) widget.chart.addHistory(message);
});

function showError({id, error, n}) {
  if (n !== undefined) return; // the answer to a command is handled with it
  if (id === undefined) { // the board could not describe its widgets
    setTimeout(() => isConnected() && !widgets.size && askBoard({describe: described.length}), 2000);
    return;
  }
  const widget = widgets.get(id);
  if (!widget) return;
  widget.value = null;
  widget.refresh();
  widget.say(error, "error");
  widget.mark("stale");
}

onMessage("error", showError);
