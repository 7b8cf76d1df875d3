/* The connection to the board. */

import {PAGE} from "./texts.js";

const FIRST_DELAY = 500; // ms before the second attempt; doubled after each attempt
const LONGEST_DELAY = 10000;
const OPENING = 8000; // ms until an attempt times out: a TLS handshake takes a chip two seconds
const SILENCE = 12000; // ms without an answer until the connection counts as dead
const TRY_AGAIN_LATER = 1013; // a close code

/* The WebSocket address of a path. It is relative to the page, which may be behind a path prefix of a proxy. */
export function address(path) {
  const url = new URL(path, document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}

/* A WebSocket to one path of the board that reconnects by itself, with exponential backoff.

   It reports: report("connecting"), ("open"), ("waiting", {why, delay}), where `why` is a text or "", and
   ("refused", {why}) if the path is not available: then it retries slowly. */
export class Link {
  constructor(report, receive) {
    this.report = report;
    this.receive = receive;
    this.path = "";
    this.socket = null;
    this.timer = 0;
    this.deadline = 0;
    this.opened = false;
    this.refusals = 0; // attempts in a row that a running board refused
    this.settled = false;
    this.delay = FIRST_DELAY;
    const retryNow = () => {
      if (document.visibilityState === "visible" && this.timer) this.connect();
    };
    addEventListener("online", retryNow);
    addEventListener("pageshow", retryNow);
    document.addEventListener("visibilitychange", retryNow);
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
    const socket = this.socket = new WebSocket(address(this.path));
    this.expect(OPENING);
    socket.onopen = () => {
      this.opened = true;
      this.refusals = 0;
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

  /* The board works: after the next failure, begin with a short delay again. */
  settle() {
    this.settled = true;
    this.delay = FIRST_DELAY;
  }

  /* If nothing arrives within so many ms, the connection is dead, even if TCP does not report it. */
  expect(ms = SILENCE) {
    if (!this.deadline) this.deadline = setTimeout(() => this.lost(1006, PAGE.noAnswer), ms);
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
      this.refuse(PAGE.noMemory("/" + this.path));
      return;
    }
    this.retry(opened ? reason : "");
    if (!opened) this.explain(await ask(this.path));
  }

  retry(why) {
    const delay = this.delay * (0.75 + Math.random() / 2); // jitter: not all pages at the same time
    this.delay = Math.min(2 * this.delay, LONGEST_DELAY);
    this.timer = setTimeout(() => this.connect(), delay);
    this.report("waiting", {why, delay});
  }

  /* The HTTP status shows the reason, which the WebSocket API hides. */
  explain(status) {
    if (!this.timer) return; // the next attempt has begun
    if (status === 404) this.refuse(PAGE.notFound("/" + this.path));
    // It answers, but opens no connection. The first time, it may have been starting.
    this.refusals = status === 426 || status === 429 ? this.refusals + 1 : 0;
    if (this.refusals > 1) this.report("waiting", {why: PAGE.noSlot, delay: 0});
  }

  /* This path is not available now. */
  refuse(why) {
    this.leave();
    this.timer = setTimeout(() => this.connect(), 3 * LONGEST_DELAY);
    this.report("refused", {why});
  }
}

/* Return the HTTP status of a path, or 0 if the board does not answer. */
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
