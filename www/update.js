/* The OTA update: check a file of `make build`, send what differs, and confirm the new version after the restart.
   lib/admin/update.py describes the messages, docs/install.md the file. */

import {element} from "./dom.js";
import {hex, hmac, sha256} from "./hmac.js";
import {UPDATE} from "./texts.js";

const FORMAT = 1; // of the file
const HMAC = 1; // of the lines that the HMAC covers
const WINDOW = 4; // messages that may wait for their answer: a slow link is used, and a board's buffer is not full
const QUESTIONS = 8; // as above, of short messages
const PATIENCE = 30000; // ms without an answer until the board counts as gone
const SECONDS = 60; // that the new version has to serve
const RESTART = 2000; // ms between two attempts to reach the restarted board
const RETURN = 300000; // ms until the board must have come back: four starts
const BLOCK = 4096; // bytes, the unit of the flash
const LOG = 1500; // characters of the crash log that are shown
const RECORD = "/deployed.json"; // on the board: the list of deployed files
const CPUS = {1: "x86", 2: "x64", 10: "xtensawin", 11: "rv32imc"}; // MicroPython's numbers of them

export function start(box, board) {
  const input = element("input", {type: "file", id: "update-file", accept: ".tar,application/x-tar"});
  const field = element("div", {className: "field"}, element("label", {htmlFor: input.id}, UPDATE.file), input);
  const state = element("p", {role: "status", id: "update-state"});
  const progress = element("progress", {hidden: true, max: 1, "aria-label": UPDATE.progress});
  const install = element("button", {type: "button", hidden: true}, UPDATE.install);
  const dismiss = element("button", {type: "button", hidden: true}, UPDATE.dismiss);
  const log = element("pre", {hidden: true, tabIndex: 0, role: "region", "aria-label": UPDATE.log});
  box.append(element("p", {className: "soft"}, UPDATE.hint), field, state, progress, element("p", {className: "row tools"}, install, dismiss), log);
  let busy = false;
  let version = ""; // of the board's firmware

  const say = (text) => { state.textContent = text; };
  const advance = (share) => {
    progress.hidden = share === null;
    progress.value = share || 0;
  };

  /* Run a task, one at a time. The board's other connections of this page wait until it ends. */
  async function run(task) {
    if (busy) return;
    busy = input.disabled = true;
    install.hidden = dismiss.hidden = log.hidden = true;
    board.hold(true);
    try {
      await task();
    } catch (error) {
      say(error.message);
      if (error.link) state.append(" ", element("a", {href: error.link}, error.link));
    }
    advance(null);
    board.hold(false);
    busy = input.disabled = false;
  }

  /* Call work(link) with a connection to /update, and close it. */
  async function connected(work) {
    const link = await connect(board);
    try {
      version = link.about.firmware;
      return await work(link);
    } finally {
      link.close();
    }
  }

  async function take(file) {
    say(UPDATE.checking);
    const update = check(new Uint8Array(await file.arrayBuffer()));
    const plan = await connected((link) => {
      fit(update.manifest, link.about);
      return compare(update, link, advance);
    });
    const {copy, gone, fixed, inPlace} = plan;
    const count = copy.length + gone.length;
    const texts = [UPDATE.versions(update.manifest.version, version, isOlder(update.manifest.version, version))];
    if (inPlace) texts.push(UPDATE.inPlace(inPlace));
    if (fixed.length) texts.push(UPDATE.fixed(fixed.join(", ")));
    texts.push(count ? UPDATE.planned(copy.length, kilobytes(copy), gone.length) : UPDATE.nothing);
    say(texts.join(" "));
    install.hidden = !count;
    install.onclick = () => run(() => send(update, plan));
  }

  async function send(update, plan) {
    say(UPDATE.sending);
    let isCommitted = false;
    try {
      await connected((link) => transfer(link, plan, board.password(), advance, () => { isCommitted = true; }));
    } catch (error) {
      // Without an answer to the last command, the board may restart into the new version.
      if (!isCommitted || !error.isLost) throw new Error(UPDATE.unchanged(error.message));
    }
    advance(null);
    say(UPDATE.restarting);
    await watch(update);
  }

  /* Wait for the restarted board, and confirm the update: else it rolls back. */
  async function watch(update) {
    for (const end = Date.now() + RETURN; Date.now() < end;) {
      await sleep(RESTART);
      try {
        const isOver = await connected((link) => settle(link, update));
        if (isOver) return;
      } catch (error) {
        if (error.status === 401 || error.link) throw error; // nothing else is final
      }
    }
    say(UPDATE.gone);
  }

  /* Return whether the update on the board has come to an end, after saying to which. */
  async function settle(link, update) {
    const name = link.about.state;
    if (name.startsWith("trial")) {
      say(UPDATE.confirming);
      for (let left; (left = await link.ask(["confirm"]));) await sleep(Math.min(left, 1) * 1000);
    } else if (name === "undone") {
      await showFailure(link);
      return true;
    } else if (name) {
      return false; // it is being installed or rolled back
    } else if (update) {
      const {copy, gone} = await compare(update, link, () => {});
      if (copy.length + gone.length) {
        say(UPDATE.unchanged(UPDATE.lost));
        return true;
      }
    }
    say(UPDATE.installed(link.about.firmware));
    state.append(" ", element("a", {href: location.href}, UPDATE.reload));
    return true;
  }

  /* Show a rollback, until an admin dismisses it: the board keeps this state. */
  async function showFailure(link) {
    const text = new TextDecoder().decode(await link.read("/crash.log"));
    say(UPDATE.rolledBack(link.about.firmware));
    log.textContent = text.slice(-LOG) || UPDATE.noLog;
    log.hidden = dismiss.hidden = false;
  }

  dismiss.onclick = () => run(() => connected(async (link) => {
    await link.ask(["dismiss"]);
    say(UPDATE.now(version));
  }));

  /* An update may still be on trial, or may have failed, because its page was closed. */
  const look = () => run(() => connected(async (link) => {
    if (link.about.state === "") say(UPDATE.now(version));
    else if (!await settle(link)) say(UPDATE.pending);
  }));
  look();

  input.onchange = () => {
    const file = input.files[0];
    if (file) run(() => take(file)).then(() => { input.value = ""; });
  };
  const isOpen = () => box.closest("details").open;
  addEventListener("dragover", (event) => { if (isOpen()) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!isOpen()) return;
    event.preventDefault();
    const file = event.dataTransfer.files[0];
    if (file) run(() => take(file));
  });
  addEventListener("beforeunload", (event) => { if (busy) event.preventDefault(); });
}

// --- the file

/* Return {manifest, files: Map of name -> content} of a file. Throws an Error if it is not whole. */
function check(data) {
  const files = unpack(data);
  let manifest = null;
  try { manifest = JSON.parse(new TextDecoder().decode(files.get("manifest.json"))); } catch { /* reported below */ }
  if (!Number.isInteger(manifest?.format)) throw new Error(UPDATE.noUpdate);
  if (manifest.format !== FORMAT) throw new Error(UPDATE.otherFormat);
  if (!isManifest(manifest)) throw new Error(UPDATE.noUpdate);
  const forbidden = manifest.files.map(({path}) => path).find((path) => !isAllowed(path))
    ?? manifest.remove.find((path) => !isAllowed(path) || isFixed(path));
  if (forbidden !== undefined) throw new Error(UPDATE.forbidden(forbidden));
  for (const entry of manifest.files) {
    const content = files.get((entry.arch || "all") + entry.path);
    if (content?.length !== entry.size || hex(sha256(content)) !== entry.sha256) throw new Error(UPDATE.damaged(entry.path));
    entry.content = content;
  }
  return {manifest, files};
}

const isText = (value) => typeof value === "string";
const areTexts = (value) => Array.isArray(value) && value.every(isText);
const isManifest = ({version, mpy, layout, archs, remove, files}) => isText(version) && isText(mpy)
  && Number.isInteger(layout) && areTexts(archs) && areTexts(remove) && Array.isArray(files)
  && files.every((file) => file && isText(file.path) && isText(file.arch) && isText(file.sha256) && Number.isInteger(file.size));

/* Return whether a file may contain this path: settings, secrets and certificates are not the update's concern. */
const isAllowed = (path) => /^\/((lib|www|app)\/.+|boot\.py|main\.py)$/.test(path) && !/\/[./]|\/$|[\\\x00-\x1f]/.test(path); // eslint-disable-line no-control-regex

/* Return whether only USB can change this path. */
const isFixed = (path) => /^\/(boot\.py$|lib\/failsafe[/.])/i.test(path);

/* Return {name: content} of a tar (ustar). */
function unpack(data) {
  const files = new Map();
  for (let at = 0; data[at];) {
    const text = (start, size) => new TextDecoder().decode(data.subarray(at + start, at + start + size)).split("\0")[0];
    const prefix = text(345, 155);
    const size = parseInt(text(124, 12), 8);
    if (text(257, 5) !== "ustar" || !(size >= 0)) break;
    files.set((prefix && prefix + "/") + text(0, 100), data.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/* Throw an Error if the file is not for this board. */
function fit({archs, layout, mpy}, about) {
  const cpu = cpuOf(about);
  const format = `${about.mpy & 255}.${about.mpy >> 8 & 3}`;
  if (about.layout !== layout || about.hmac !== HMAC) throw new Error(UPDATE.otherLayout);
  if (!archs.includes(cpu)) throw new Error(UPDATE.otherCpu(archs.join(", "), cpu, about.machine));
  if (format !== mpy) throw new Error(UPDATE.otherMpy(mpy, format, about.version.join(".")));
}

const cpuOf = ({mpy}) => CPUS[mpy >> 10 & 15] || "";

function isOlder(one, other) {
  const [first, second] = [one, other].map((text) => text.split(/[.-]/).map(Number));
  const at = first.findIndex((number, index) => number !== second[index]);
  return at >= 0 && first[at] < second[at];
}

const kilobytes = (entries) => Math.ceil(entries.reduce((sum, {size}) => sum + size, 0) / 1024);

// --- the board

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/* Return a connection to /update: its `about` is the board's first message. */
async function connect(board) {
  const socket = await board.connect("update");
  const waiting = []; // {resolve, reject} of each message that is not answered yet
  let timer = 0;
  let why = UPDATE.lost;
  const expect = () => {
    clearTimeout(timer);
    if (waiting.length) timer = setTimeout(() => { why = UPDATE.silent; end(); }, PATIENCE);
  };
  const end = () => {
    socket.close();
    clearTimeout(timer);
    for (const {reject} of waiting.splice(0)) reject(Object.assign(new Error(why), {isLost: true}));
  };
  const next = () => new Promise((resolve, reject) => {
    waiting.push({resolve, reject});
    expect();
    if (socket.readyState > 1) end();
  });
  socket.onmessage = ({data}) => {
    const answer = typeof data === "string" ? JSON.parse(data) : new Uint8Array(data);
    const {resolve, reject} = waiting.shift();
    expect();
    if (answer.error) reject(new Error(UPDATE.refused(answer.error)));
    else resolve(answer);
  };
  socket.onclose = ({code, reason}) => {
    if (code === 1008 || code === 1013) why = UPDATE.closed(reason);
    end();
  };
  const ask = (message) => {
    socket.send(message instanceof Uint8Array ? message : JSON.stringify(message));
    return next();
  };
  /* Return one of the files that may be read. */
  const read = async (path) => {
    const pieces = [];
    let size = 0;
    for (let piece; (piece = await ask(["read", path, size])).length; size += piece.length) pieces.push(...piece);
    return new Uint8Array(pieces);
  };
  return {about: await next(), ask, read, close: () => socket.close()};
}

/* Send messages, of which at most `limit` wait for their answer; return the answers. answered(index): called for each. */
async function pipeline(link, messages, limit, answered) {
  const answers = [];
  for (const message of messages) {
    if (answers.length >= limit) await answers.at(-limit);
    const index = answers.length;
    const answer = link.ask(message);
    answer.then(() => answered(index), () => {}); // an error is thrown by the await
    answers.push(answer);
  }
  return Promise.all(answers);
}

/* Return what must change: {copy: entries, gone: paths, fixed: paths that only USB can change, record: the new list of
   deployed files, or null, inPlace: 1 if lib/ is in a ROMFS, 2 if it is frozen}. It follows tools/deploy/deployment.py. */
async function compare({manifest}, link, advance) {
  const cpu = cpuOf(link.about);
  const packages = link.about.in_place || {};
  const isHidden = (path) => path.startsWith("/lib/") && (path.split("/")[3] ? path.split("/")[2] : "admin") in packages;
  // boot.py and main.py belong to the version of lib/.
  const isOther = "admin" in packages && manifest.version !== link.about.firmware;
  const isProgram = (path) => isOther && /^\/(boot|main)\.py$/.test(path);
  const wanted = new Map(manifest.files.filter(({arch, path}) => (!arch || arch === cpu) && !isHidden(path) && !isProgram(path))
    .map((entry) => [entry.path, entry]));
  let before = [];
  try { before = JSON.parse(new TextDecoder().decode(await link.read(RECORD))); } catch { /* there is no list */ }
  before = before.filter((path) => typeof path === "string");
  const kept = before.filter((path) => (path.startsWith("/app/") && !manifest.app)
    || (isHidden(path) && isFixed(path)) || isProgram(path));
  const twins = [...wanted.keys()].filter((path) => /^\/(lib|app)\/.*\.m?py$/.test(path))
    .map((path) => (path.endsWith(".mpy") ? path.slice(0, -3) + "py" : path.slice(0, -2) + "mpy"));
  const asked = [...new Set([...wanted.keys(), ...twins, ...before, ...manifest.remove])];
  const answers = await pipeline(link, asked.map((path) => ["hash", path]), QUESTIONS, (index) => advance(index / asked.length));
  const found = new Map(asked.map((path, index) => [path, answers[index]]));
  const different = [...wanted.values()].filter(({path, sha256: hash}) => found.get(path) !== hash);
  const unwanted = asked.filter((path) => found.get(path) && !wanted.has(path) && !kept.includes(path));
  const all = [...different.map(({path}) => path), ...unwanted];
  const record = [...new Set([...wanted.keys(), ...kept])].sort();
  return {
    copy: different.filter(({path}) => !isFixed(path)),
    gone: unwanted.filter((path) => !isFixed(path)),
    fixed: all.filter(isFixed),
    inPlace: packages.admin || 0,
    record: record.join() === [...before].sort().join() ? null : record,
  };
}

/* Send the changes and the HMAC. committing(): called when the last command is sent. */
async function transfer(link, {copy, gone, record}, password, advance, committing) {
  const files = [...copy];
  if (record) {
    const content = new TextEncoder().encode(JSON.stringify(record));
    files.push({path: RECORD, size: content.length, sha256: hex(sha256(content)), content});
  }
  let free;
  while ((free = await link.ask(["begin"])) < 0); // the board removes an earlier update
  const needed = files.reduce((sum, {size}) => sum + Math.floor(size / BLOCK) * BLOCK + 2 * BLOCK, 0);
  if (needed > free) throw new Error(UPDATE.full(Math.ceil(needed / 1024), Math.floor(free / 1024)));
  let lines = `esp32-ws update ${HMAC} ${await link.ask(["nonce"])}\n`;
  const messages = [];
  const sent = []; // bytes that have been sent with each message
  let total = 0;
  for (const {path, size, sha256: hash, content} of files) {
    lines += `file ${size} ${hash} ${path}\n`;
    messages.push(["file", path, size, hash]);
    sent.push(total);
    for (let at = 0; at < size; at += link.about.piece) {
      messages.push(content.subarray(at, at + link.about.piece));
      total += messages.at(-1).length;
      sent.push(total);
    }
  }
  for (const path of gone) {
    lines += `remove ${path}\n`;
    messages.push(["remove", path]);
    sent.push(total);
  }
  await pipeline(link, messages, WINDOW, (index) => advance(sent[index] / total));
  lines += `commit ${SECONDS}\n`;
  const encode = (text) => new TextEncoder().encode(text);
  committing();
  await link.ask(["commit", SECONDS, hex(hmac(encode(password), encode(lines)))]);
}
