"use strict";

const FIRST_DELAY = 500; // ms before the second attempt; each further one waits twice as long
const LONGEST_DELAY = 10000;
const OPENING = 8000; // ms until an attempt without an answer is given up: TLS takes a chip two seconds
const SILENCE = 12000; // ms without a word, though something was asked for, after which the board is gone
const TRY_AGAIN_LATER = 1013; // a close code

/* A WebSocket to one path of the board, which comes back by itself.

   It reports: report("connecting"), ("open"), ("waiting", {why, delay}), where `why` is a text or "", and
   ("refused", {why}), when this path cannot be had: it then only tries now and then. */
class Link {
  constructor(report, receive) {
    this.report = report;
    this.receive = receive;
    this.path = "";
    this.socket = null;
    this.timer = 0;
    this.deadline = 0;
    this.opened = false;
    this.knocks = 0; // attempts in a row that an otherwise healthy board turned down
    this.settled = false;
    this.delay = FIRST_DELAY;
    const hurry = () => {
      if (document.visibilityState === "visible" && this.timer) this.connect();
    };
    addEventListener("online", hurry);
    addEventListener("pageshow", hurry);
    document.addEventListener("visibilitychange", hurry);
  }

  /* Connect to this path from now on. */
  use(path) {
    this.path = path;
    this.delay = FIRST_DELAY;
    this.connect();
  }

  connect() {
    this.leave();
    this.settled = false;
    this.report("connecting");
    const scheme = location.protocol === "https:" ? "wss://" : "ws://";
    const socket = this.socket = new WebSocket(scheme + location.host + this.path);
    this.expect(OPENING);
    socket.onopen = () => {
      this.opened = true;
      this.knocks = 0;
      this.calm();
      this.report("open");
    };
    socket.onmessage = (event) => {
      this.calm();
      this.receive(event.data);
    };
    socket.onclose = (event) => this.lost(event.code, event.reason);
  }

  get isOpen() {
    return this.socket !== null && this.socket.readyState === WebSocket.OPEN;
  }

  send(text) {
    this.socket.send(text);
  }

  /* The board works as it should: the next time that it is gone, begin with short delays. */
  settle() {
    this.settled = true;
    this.delay = FIRST_DELAY;
  }

  /* Something must come within so many ms, or the connection is dead, whatever TCP believes. */
  expect(ms = SILENCE) {
    if (!this.deadline) this.deadline = setTimeout(() => this.lost(1006, "no answer"), ms);
  }

  calm() {
    clearTimeout(this.deadline);
    this.deadline = 0;
  }

  leave() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.calm();
    if (this.socket) {
      this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
      this.socket.close();
      this.socket = null;
    }
  }

  async lost(code, reason) {
    const opened = this.opened;
    this.opened = false;
    this.leave();
    if (code === TRY_AGAIN_LATER && !this.settled) {
      this.refuse("The board has no memory to spare for " + this.path + " right now.");
      return;
    }
    this.retry(opened ? reason : "");
    if (!opened) this.explain(await ask(this.path));
  }

  retry(why) {
    const delay = this.delay * (0.75 + Math.random() / 2); // not all pages at the same moment
    this.delay = Math.min(2 * this.delay, LONGEST_DELAY);
    this.timer = setTimeout(() => this.connect(), delay);
    this.report("waiting", {why, delay});
  }

  /* A status of HTTP tells what the WebSocket interface keeps to itself. */
  explain(status) {
    if (!this.timer) return; // meanwhile it tries again
    if (status === 404) this.refuse("This board has no " + this.path + ": no memory, or switched off in its settings.");
    // It answers, and yet opens no connection. Once, it may have been starting.
    this.knocks = status === 426 || status === 429 ? this.knocks + 1 : 0;
    if (this.knocks > 1) this.report("waiting", {why: "The board is there, but has no place free.", delay: 0});
  }

  /* This path is not to be had for now. */
  refuse(why) {
    this.leave();
    this.timer = setTimeout(() => this.connect(), 3 * LONGEST_DELAY);
    this.report("refused", {why});
  }
}

/* The HTTP status of a path, 0 if the board does not answer. */
async function ask(path) {
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(), 3000);
  try {
    return (await fetch(path, {cache: "no-store", signal: control.signal})).status;
  } catch {
    return 0;
  } finally {
    clearTimeout(timer);
  }
}
