/* Commands to the board: each has a number, an absolute value and the board's time, so that it is neither repeated nor
   executed late. */

import {onMessage} from "./messages.js";

const SLOW = 2000; // ms without an answer until a command counts as slow
const CLOCK = 2 ** 30; // ms after which the board's clock wraps

let transmit = null; // a function that sends an object; null while there is no connection
let clock = null; // what to add to performance.now() for the board's time
let lastNumber = 0;
const waiting = new Map(); // number -> {report, timer}

/* Send commands with this function from now on; null: the connection is lost. */
export function sendWith(sender) {
  transmit = sender;
  if (sender) return;
  clock = null;
  for (const {report, timer} of waiting.values()) {
    clearTimeout(timer);
    report("lost");
  }
  waiting.clear();
}

export function isConnected() {
  return transmit !== null && clock !== null;
}

/* Send a command. report(state, text) is called with "pending", "slow", then "done", "error" or "lost". */
export function command(id, value, report) {
  if (!isConnected()) {
    report("lost");
    return;
  }
  const n = ++lastNumber;
  waiting.set(n, {report, timer: setTimeout(() => report("slow"), SLOW)});
  report("pending");
  transmit({set: id, value, n, at: boardTime()});
}

function finish(message, state) {
  const one = waiting.get(message.n);
  if (!one) return;
  clearTimeout(one.timer);
  waiting.delete(message.n);
  one.report(state, message.error);
}

onMessage("done", (message) => finish(message, "done"));
onMessage("error", (message) => finish(message, "error"));

/* Learn the board's time. The least delayed message counts. */
function learnTime({time}) {
  if (typeof time !== "number") return;
  const offset = time - performance.now();
  const ahead = clock === null ? 0 : ((offset - clock) % CLOCK + CLOCK) % CLOCK;
  if (clock === null || ahead < CLOCK / 2) clock = offset;
}

function boardTime() {
  return Math.floor(((performance.now() + clock) % CLOCK + CLOCK) % CLOCK);
}

onMessage("panel", learnTime);
onMessage("values", learnTime);
