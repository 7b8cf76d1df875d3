/* The board's page: its connection and what it shows of it. The widgets are in widgets.js. */

import {Chart} from "./chart.js";
import {receiveEcho, showEcho} from "./chat.js";
import {sendWith} from "./commands.js";
import {$, nameBoard, translate} from "./dom.js";
import {Link} from "./link.js";
import {logMessage, startLog} from "./log.js";
import {dispatch, onMessage} from "./messages.js";
import {PAGE, COMMON} from "./texts.js";
import {describeWith, drawKind, markStale, showConnection} from "./widgets.js";

const WAKING = 5000; // ms for an answer after the page was hidden: the connection may be dead
const SILENT = 3000; // ms without a message until the board counts as silent; it sends one a second
const ROUND_TRIP = 5000; // ms between two measurements
const PROBE = "round trip ";

let plain = false; // whether this is the plain echo, because there are no widgets
let greeted = false;
let heard = 0; // when the last message came
let roundTrip = null; // its chart, if the board has a widget for it

translate({...COMMON, ...PAGE});
const link = new Link(showState, receive);
startLog(sendText);

// --- sending and receiving

function sendText(text, isRoutine = false) {
  if (!link.isOpen) return false;
  link.send(text);
  logMessage(text, true, isRoutine);
  return true;
}

function sendJson(message) {
  sendText(JSON.stringify(message), "view" in message || "describe" in message);
}

function receive(data) {
  const text = typeof data === "string" ? data : PAGE.binary(data.size);
  heard = performance.now();
  if ($("state").dataset.state === "silent") showState("open");
  if (plain) {
    logMessage(text, false, false);
    receiveEcho(text);
    return;
  }
  const type = dispatch(text);
  logMessage(text, false, type === "" || type === "values");
  if (type !== "" && isVisible()) link.expect();
}

onMessage("panel", (message) => {
  greeted = true;
  link.settle();
  nameBoard(message.name);
  $("board-name").textContent = message.name;
  $("about").textContent = [message.board, message.firmware].filter(Boolean).join(" \u00b7 ");
  $("problem").hidden = !message.problem;
  $("problem-text").textContent = message.problem || "";
  sendWith(sendJson);
  watch();
});

describeWith(sendJson);

// --- the state of the connection

function showState(state, {why = "", delay = 0} = {}) {
  if (state !== "open" && state !== "silent") {
    greeted = false;
    sendWith(null);
    showConnection();
  }
  if (state === "connecting" && ["waiting", "refused"].includes($("state").dataset.state)) {
    showMore(PAGE.tryingNow); // screen readers need not announce this each time
    return;
  }
  $("state").dataset.state = state;
  const text = state === "open" && plain ? PAGE.openEcho : PAGE[state];
  if ($("state-text").textContent !== text) $("state-text").textContent = text;
  const again = delay > 1500 ? PAGE.tryingIn(Math.round(delay / 1000)) : PAGE.tryingAgain;
  if (state === "waiting") showMore(again + " " + PAGE.disabled, why);
  else $("state-more").textContent = "";
  $("now").hidden = state !== "waiting";
  $("refused").hidden = state !== "refused";
  $("refused-text").textContent = state === "refused" ? why : "";
  if (state === "open" && plain) startEcho();
}

/* Say more about the state, and its reason. */
function showMore(text, why = "") {
  $("state-more").textContent = PAGE.more(text, why.replace(/\.$/, ""));
}

/* The board sends a message every second: report it when none has come. */
setInterval(() => {
  const silence = performance.now() - heard;
  if (!greeted || !isVisible() || silence < SILENT) return;
  if ($("state").dataset.state === "open") {
    showState("silent");
    markStale();
  }
  showMore(PAGE.silentFor(Math.floor(silence / 1000)));
}, 500);

function startEcho() {
  link.settle();
  showEcho((text) => {
    link.expect();
    return sendText(text);
  });
}

$("now").onclick = () => link.connect();
$("again").onclick = () => start(false);
$("echo").onclick = () => start(true);

function start(asPlain) {
  plain = asPlain;
  $("state").dataset.state = "";
  $("log-card").hidden = !plain;
  link.use(plain ? "ws" : "panel");
}

// --- only a visible page gets values

function isVisible() {
  return document.visibilityState === "visible";
}

function watch() {
  if (!greeted) return;
  heard = performance.now();
  sendJson({view: isVisible()});
  if (isVisible()) {
    link.calm();
    link.expect(WAKING);
    measure();
  } else {
    link.calm();
  }
}

document.addEventListener("visibilitychange", watch);

/* Anything that is no command comes back unchanged. */
function measure() {
  if (roundTrip && greeted && isVisible()) sendText(PROBE + performance.now(), true);
}

setInterval(measure, ROUND_TRIP);

drawKind("round-trip", (widget) => {
  roundTrip = widget.chart = new Chart(widget.box, {label: widget.label, unit: PAGE.milliseconds});
  roundTrip.gap = 3 * ROUND_TRIP;
});

onMessage("", (text) => {
  if (roundTrip && text.startsWith(PROBE)) roundTrip.add(performance.now() - Number(text.slice(PROBE.length)));
});

start(false);
