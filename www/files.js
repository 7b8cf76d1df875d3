/* The files in /www and /app: list, view, edit, create, delete, download and upload them. */

import {element} from "./dom.js";
import {hex, sha256} from "./hmac.js";
import {FILES} from "./texts.js";

const ROOTS = ["/app", "/www"];
const PIECE = 1024; // bytes in a message
const EDITABLE = 65536; // bytes; larger files can only be downloaded
const LONGEST = 200; // bytes of a path
const VALID = /^(?!\.)[^\\:*?"<>|\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]*[^\\:*?"<>|\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069. ]$/u;
const ENDS = /\r\n|\r|\n/;
const bytesOf = (text) => new TextEncoder().encode(text).length;
const BINARY = /\.(mpy|gz|png|jpg|ico|woff2?|bin|der)$/i;

export function start(box, board) {
  const state = element("p", {role: "status"});
  const top = element("div", {}, state);
  const crumbs = element("p", {className: "row tools"});
  const list = element("ul", {className: "files", "aria-label": FILES.list});
  const free = element("p", {className: "soft"});
  const name = element("input", {id: "file-name", autocomplete: "off", autocapitalize: "off", spellcheck: false});
  const create = element("form", {className: "create"},
    element("div", {className: "field"}, element("label", {htmlFor: name.id}, FILES.newName), name),
    element("button", {className: "quiet"}, FILES.create));
  const upload = element("input", {type: "file", id: "file-upload", multiple: true});
  const editor = element("div", {hidden: true});
  box.append(top, crumbs, list, free, create,
    element("div", {className: "field"}, element("label", {htmlFor: upload.id}, FILES.upload), upload), editor);

  let folder = ROOTS[0];
  let names = new Set(); // of the files here
  let edited = null; // {path, isDirty()}
  let isBusy = false;
  let next = null; // the folder or file to open after that

  /* Show a text where the user has acted, because the other place may be out of sight. */
  function say(text, isError = false, place = state.parentNode) {
    if (!place.contains(state)) place.append(state);
    state.className = isError ? "note" : "soft";
    state.textContent = text;
    if (isError) state.scrollIntoView({block: "nearest"});
  }

  /* Run an action; show its result or error. One at a time. */
  async function run(action, place = top) {
    if (isBusy) return;
    isBusy = true;
    say(FILES.working, false, place);
    try {
      say(await action() || "");
    } catch (error) {
      say(error.message, true);
    }
    isBusy = false;
    const waiting = next;
    next = null;
    if (waiting) run(waiting);
  }

  /* Open a folder or file, after what runs now. */
  function open(action) {
    if (isBusy) next = action;
    else run(action);
  }

  async function show(path = folder) {
    const entries = [];
    let answer = null;
    showCrumbs(); // also if the folder cannot be listed
    for (let from = 0; from !== null; from = answer.next) {
      answer = await board.ask({do: "files", list: path, from});
      entries.push(...answer.entries);
    }
    folder = path;
    names = new Set(entries.map(([one]) => one));
    entries.sort(([a, size], [b, other]) => (size < 0) - (other < 0) ? other < 0 ? 1 : -1 : a.localeCompare(b));
    list.replaceChildren(...entries.map(row));
    if (!entries.length) list.append(element("li", {className: "soft"}, FILES.empty));
    free.textContent = FILES.free(Math.floor(answer.free / 1024)) + FILES.hidden(answer.hidden);
    showCrumbs();
  }

  function showCrumbs() {
    const parts = folder.split("/").slice(1);
    const shown = ROOTS.filter((root) => root !== `/${parts[0]}`);
    const above = parts.map((_, at) => "/" + parts.slice(0, at + 1).join("/"));
    crumbs.replaceChildren(...[...shown, ...above].map((path) => {
      const one = button(path, () => open(() => show(path)));
      if (path === folder) one.setAttribute("aria-current", "true");
      return one;
    }));
  }

  function button(label, action, accessible = label) {
    const made = element("button", {type: "button", className: "quiet", "aria-label": accessible}, label);
    made.onclick = action;
    return made;
  }

  function row([one, size, isOwn]) {
    const path = `${folder}/${one}`;
    const isFolder = size < 0;
    const opens = isFolder || isText(path, size);
    const label = element("bdi", {}, one + (isFolder ? "/" : ""));
    const line = element("li", {className: "row"});
    line.append(opens ? button(label, () => open(() => (isFolder ? show(path) : edit(path, size, isOwn))), one) : label);
    line.append(element("span", {className: "soft"}, [isFolder ? "" : FILES.size(size), isOwn ? FILES.own : ""].filter(Boolean).join(" \u00b7 ")));
    const buttons = element("span", {className: "row tools"});
    if (!isFolder) buttons.append(button(FILES.download, () => run(() => download(path, one)), FILES.downloadOne(one)));
    if (!isOwn) buttons.append(button(FILES.remove, () => remove(path, isFolder), FILES.removeOne(one)));
    line.append(buttons);
    return line;
  }

  function isText(path, size) {
    return size <= EDITABLE && !BINARY.test(path);
  }

  async function read(path, size) {
    const pieces = [];
    let sum = 0;
    for (let piece = null; !piece || piece.byteLength === PIECE; sum += piece.byteLength) {
      piece = await board.ask({do: "files", read: path, from: sum});
      pieces.push(piece);
      state.textContent = FILES.progress(path, sum, size);
    }
    return new Blob(pieces);
  }

  async function download(path, one) {
    const link = element("a", {download: one, href: URL.createObjectURL(await read(path, NaN))});
    link.click();
    URL.revokeObjectURL(link.href);
  }

  /* was: the SHA-256 of the file that is replaced, "" if there is none, undefined: any. Return a text, or null if the
     board has another file by now. */
  async function write(path, bytes, was) {
    let answer = await board.ask({do: "files", write: path, size: bytes.length, was});
    if (answer.changed) return null;
    for (let at = 0; at < bytes.length; at += PIECE) {
      answer = await board.ask(bytes.subarray(at, at + PIECE));
      state.textContent = FILES.progress(path, at, bytes.length);
    }
    return FILES.written(path, answer.removed, /^\/app\/(?!www\/).*\.m?py$/.test(path));
  }

  function remove(path, isFolder) {
    if (!confirm(FILES.sure(path))) return;
    run(async () => {
      await board.ask({do: "files", delete: path});
      if (edited?.path === path) close();
      await show();
      return FILES.removed(path, isFolder);
    });
  }

  const mayClose = () => !edited?.isDirty() || confirm(FILES.unsaved(edited.path));

  function close() {
    edited = null;
    top.append(state);
    editor.hidden = true;
    editor.replaceChildren();
  }

  async function edit(path, size, isOwn) {
    if (!mayClose()) return "";
    close();
    const bytes = new Uint8Array(await (await read(path, size)).arrayBuffer());
    let text = "";
    try {
      text = new TextDecoder("utf-8", {fatal: true, ignoreBOM: true}).decode(bytes);
    } catch {
      return FILES.noText(path);
    }
    if (text.includes("\0")) return FILES.noText(path);
    openEditor(path, text, hex(sha256(bytes)), isOwn);
    return "";
  }

  /* was: as in write(). */
  function openEditor(path, text, was, isOwn = false) {
    const area = element("textarea", {value: text, rows: 16, spellcheck: false, autocapitalize: "off", readOnly: isOwn, "aria-label": FILES.content(path)});
    let saved = was ? area.value : null;
    const hint = isOwn ? FILES.ownHint : names.has(path.split("/").at(-1) + ".gz") ? FILES.packed(path) : "";
    const place = element("div");
    const store = (known) => run(async () => {
      const value = area.value;
      const content = withEnds(text, value);
      const bytes = new TextEncoder().encode(content);
      const result = await write(path, bytes, known);
      conflict.hidden = result !== null;
      if (result === null) throw new Error(FILES.changed(path));
      was = hex(sha256(bytes));
      text = content;
      saved = value;
      await show();
      return result;
    }, place);
    const save = button(FILES.save, () => store(was));
    const conflict = element("p", {className: "row tools", hidden: true},
      button(FILES.overwrite, () => store()), button(FILES.again, () => run(() => edit(path, NaN, isOwn))));
    edited = {path, isDirty: () => !isOwn && saved !== null && saved !== area.value || saved === null && area.value !== ""};
    area.onkeydown = (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key !== "s") return;
      event.preventDefault();
      if (!isOwn) save.click();
    };
    editor.replaceChildren(element("h3", {}, path), element("p", {className: "soft"}, hint), area, place,
      conflict, element("p", {className: "row tools"}, ...(isOwn ? [] : [save]), button(FILES.close, () => { if (mayClose()) close(); })));
    editor.hidden = false;
    area.focus();
  }

  create.onsubmit = (event) => {
    event.preventDefault();
    const wanted = name.value.trim();
    const path = `${folder}/${wanted}`;
    if (!wanted) say(FILES.noName, true, top);
    else if (!path.slice(1).split("/").every((part) => VALID.test(part)) || bytesOf(path) > LONGEST) say(FILES.invalidName(wanted), true, top);
    else if (names.has(wanted)) say(FILES.exists(wanted), true, top);
    else if (mayClose()) {
      openEditor(path, "", "");
      name.value = "";
      say("", false, top);
    }
  };
  upload.onchange = () => {
    const chosen = [...upload.files].filter((file) => !names.has(file.name) || confirm(FILES.replace(file.name)));
    run(async () => {
      let result = "";
      for (const file of chosen) {
        const was = names.has(file.name) ? undefined : "";
        result = await write(`${folder}/${file.name}`, new Uint8Array(await file.arrayBuffer()), was) ?? FILES.exists(file.name);
        await show();
      }
      return result;
    });
    upload.value = "";
  };
  board.editor.isDirty = () => Boolean(edited?.isDirty());
  addEventListener("beforeunload", (event) => {
    if (board.isIdle() && edited?.isDirty()) event.preventDefault();
  });
  run(show);
}

/* Return the text of the editor, which knows only LF, with the line ends of the file's text. Each line keeps its own,
   a changed one that of the line that was there, and a new one gets that of the line before it. */
function withEnds(text, value) {
  const ends = text.match(new RegExp(ENDS, "g")) || [];
  const before = text.split(ENDS);
  const after = value.split("\n");
  const most = Math.min(before.length, after.length);
  let head = 0; // lines at the beginning that are the same, and at the end
  while (head < most && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < most - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const known = new Map(); // line -> its ends between head and tail
  for (let index = head; index < before.length - tail; index++) {
    known.set(before[index], [...known.get(before[index]) || [], ends[index]]);
  }
  const endOf = (line, index) => {
    if (index < head) return ends[index];
    if (index >= after.length - tail) return ends[index + before.length - after.length];
    if (known.has(line)) return known.get(line).shift();
    return index < before.length - tail ? ends[index] : undefined;
  };
  let last = ends[0] ?? "\n";
  return after.map((line, index) => {
    if (index === after.length - 1) return line;
    last = endOf(line, index) ?? last;
    return line + last;
  }).join("");
}
