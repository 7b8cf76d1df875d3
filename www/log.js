/* The message log: what the page has sent and received. */

import {$, element, keepDraft, setDraft} from "./dom.js";
import {PAGE} from "./texts.js";

const MOST = 200;

let entries = [];
let count = 0;

/* Add a message. isRoutine: it is hidden unless the user wants to see all. */
export function logMessage(text, isOut, isRoutine) {
  count += 1;
  entries.unshift({text: text.length > 500 ? text.slice(0, 500) + "\u2026" : text, isOut, isRoutine});
  entries.length = Math.min(entries.length, MOST);
  if ($("log-card").open) showLog();
  $("log-count").textContent = PAGE.soFar(count);
}

function showLog() {
  const shown = entries.filter((entry) => $("log-all").checked || !entry.isRoutine);
  $("log").replaceChildren(...shown.map(({text, isOut}) => element("li", {className: isOut ? "out" : ""},
    element("span", {className: "unseen"}, isOut ? PAGE.sent : PAGE.received), element("bdi", {}, text))));
}

/* Set up the log; send(text) sends what the user types. */
export function startLog(send) {
  $("log-card").ontoggle = $("log-all").onchange = showLog;
  $("log-count").textContent = PAGE.soFar(0);
  $("log-clear").onclick = () => {
    entries = [];
    showLog();
  };
  keepDraft($("raw-text"));
  $("raw").onsubmit = (event) => {
    event.preventDefault();
    if ($("raw-text").value && send($("raw-text").value)) setDraft($("raw-text"), "");
  };
}
