/* The live log: the latest lines that the board has printed, and the new ones. */

import {element} from "./dom.js";
import {LIVELOG} from "./texts.js";

const EVERY = 1000; // ms between two questions
const AGAIN = 3000; // ms after an error
const MOST = 500; // lines on the page
const FINAL = [401, 403, 404, 429]; // another attempt would fail, too
const YEARS = 3e8; // s; a line that seems to be older is from before the clock was set

export function start(box, board) {
  const details = box.closest("details");
  const state = element("p", {className: "soft", role: "status"});
  const list = element("pre", {tabIndex: 0, role: "log", "aria-label": LIVELOG.title, "aria-live": "off"});
  const pause = element("button", {type: "button", className: "quiet"}, LIVELOG.pause);
  const copy = element("button", {type: "button", className: "quiet"}, LIVELOG.copy);
  box.append(state, list, element("p", {className: "row tools"}, pause, copy));

  let from = 0;
  let run = null;
  let rest = ""; // of the text so far: the last line may not be complete
  let isPaused = false;
  let isAsking = false;
  let timer = 0;

  async function follow() {
    clearTimeout(timer);
    if (isAsking || !details.open || document.hidden || isPaused) return;
    if (!board.isIdle()) {
      timer = setTimeout(follow, AGAIN);
      return;
    }
    isAsking = true;
    let wait = EVERY;
    try {
      const answer = await board.ask({do: "log", from});
      if (run !== null && run !== answer.run) restarted();
      else if (show(answer)) wait = 0;
      run = answer.run;
      state.textContent = answer.kept ? LIVELOG.following : LIVELOG.notKept;
    } catch (error) {
      state.textContent = error.message;
      wait = FINAL.includes(error.status) ? 0 : AGAIN;
      if (!wait) setPaused(true);
    }
    isAsking = false;
    timer = setTimeout(follow, wait);
  }

  function restarted() {
    add(LIVELOG.restarted);
    from = 0;
    rest = "";
  }

  /* Show the lines of an answer; return whether there are more. */
  function show({text, next, lost, now, more}) {
    if (lost && from) add(LIVELOG.lost);
    from = next;
    const records = (rest + text).split("\x1e");
    rest = records.at(-1).endsWith("\n") ? "" : records.pop();
    for (const record of records.filter(Boolean)) {
      const [, seconds, line] = record.match(/^(\d+) ([^]*)$/) || [null, null, record];
      add(`${timeOf(seconds, now)} ${line.trimEnd()}`);
    }
    if (rest) rest = "\x1e" + rest;
    return more;
  }

  function timeOf(seconds, now) {
    const age = now - Number(seconds);
    if (seconds === null || age < 0 || age > YEARS) return "--:--:--";
    return new Date(Date.now() - age * 1000).toLocaleTimeString();
  }

  function add(text) {
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(element("div", {}, text));
    while (list.childElementCount > MOST) list.firstChild.remove();
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  }

  function setPaused(value) {
    isPaused = value;
    pause.textContent = value ? LIVELOG.go : LIVELOG.pause;
  }

  pause.onclick = () => {
    setPaused(!isPaused);
    if (isPaused) state.textContent = LIVELOG.paused;
    follow();
  };
  copy.onclick = async () => {
    const text = [...list.children].map((line) => line.textContent).join("\n");
    try {
      await navigator.clipboard.writeText(text); // only with https://, or on this computer
      state.textContent = LIVELOG.copied;
    } catch {
      getSelection().selectAllChildren(list);
      state.textContent = document.execCommand("copy") ? LIVELOG.copied : LIVELOG.notCopied;
    }
  };
  details.addEventListener("toggle", follow);
  document.addEventListener("visibilitychange", follow);
  follow();
}
