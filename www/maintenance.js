/* Maintenance: buttons that act at once, and tools, which are loaded when the user opens them. */

import {$, element} from "./dom.js";
import {MAINTENANCE} from "./texts.js";

const VERSION = 40; // bytes that the page adds to the settings of a file

/* A tool is a module with a function start(box, board): it fills the empty box. board:
     ask(command)    sends {"do": ...}, or bytes, and returns a promise of the answer; Error.message is for the user
     complain(text)  shows an error above the settings
     clear()         removes the errors that are shown, those of fields, too
     release()       closes the connection to /settings, which is opened again when it is needed
     connect(path)   returns a promise of a WebSocket to another path, with the password; /settings is closed before
     hold(flag)      begins or ends to use the board alone: isIdle() is false meanwhile
     password()      of the admin
     editor          {isDirty()}: set by the tool that has an editor
     saveUploaded(settings)  saves the settings of a file
     mayRestart()    asks whether unsaved text of the editor may be lost
     isIdle()        whether settings are neither being saved nor saved
     maxSize()       the most bytes in a message to the board
     name            of the board */
const TOOLS = {
  update: () => import("./update.js"),
  log: () => import("./livelog.js"),
  files: () => import("./files.js"),
};

export function startMaintenance(board) {
  $("tools").append(...Object.entries(MAINTENANCE.do).map(([name, label]) => {
    const button = element("button", {type: "button", className: "quiet"}, label);
    button.onclick = () => {
      if (name in MAINTENANCE.sure && !(confirm(MAINTENANCE.sure[name]) && board.mayRestart())) return;
      (ACTIONS[name] || act)(board, name).catch((error) => board.complain(error.message));
    };
    return button;
  }));
  for (const [name, load] of Object.entries(TOOLS)) $("maintenance").append(makeTool(board, name, load));
  startUpload(board);
}

function makeTool(board, name, load) {
  const box = element("div", {className: "tool"});
  const details = element("details", {id: `tool-${name}`}, element("summary", {}, MAINTENANCE.tools[name]), box);
  let isLoaded = false;
  details.ontoggle = async () => {
    if (!details.open || isLoaded) return;
    isLoaded = true;
    box.textContent = MAINTENANCE.loading;
    try {
      if (location.protocol === "https:") await board.release();
      const {start} = await load();
      box.replaceChildren();
      start(box, board);
    } catch {
      isLoaded = false;
      box.textContent = MAINTENANCE.notLoaded;
    }
  };
  return details;
}

async function act(board, name) {
  $("note").textContent = "";
  await board.ask({do: name});
}

const ACTIONS = {
  __proto__: null,
  async crashlog(board) {
    const text = await readText(board, "crashlog");
    $("crashlog").hidden = false;
    $("crashlog").textContent = text || MAINTENANCE.emptyLog;
    $("crashlog").focus();
  },
  async config(board) {
    download(`${board.name}.json`, await readText(board, "config") || "{}");
  },
};

/* Return a text file of the board, which comes in pieces. */
export async function readText(board, name) {
  $("note").textContent = "";
  let text = "";
  for (let from = 0; from !== null;) {
    const piece = await board.ask({do: name, from});
    text += piece.text;
    from = piece.next;
  }
  return text;
}

function download(name, ...parts) {
  const link = element("a", {download: name, href: URL.createObjectURL(new Blob(parts))});
  link.click();
  URL.revokeObjectURL(link.href);
}

function startUpload(board) {
  $("upload").onchange = async () => {
    const file = $("upload").files[0];
    if (!file) return;
    let save = null;
    try { save = JSON.parse(await file.text()); } catch { /* reported below */ }
    $("upload").value = "";
    board.clear();
    if (!isObject(save)) board.complain(MAINTENANCE.uploadError);
    else if (!Object.keys(save).length) board.complain(MAINTENANCE.nothingToSave);
    else if (!Object.values(save).every(isObject)) board.complain(MAINTENANCE.sectionError);
    else if (bytesOf(JSON.stringify({save})) + VERSION > board.maxSize()) board.complain(MAINTENANCE.sizeError(board.maxSize()));
    else if (board.mayRestart()) board.saveUploaded(save);
  };
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const bytesOf = (text) => new TextEncoder().encode(text).length;
