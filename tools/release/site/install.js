import { Prompt } from "./serial.js";

const $ = (id) => document.getElementById(id);
const SERVING = /serving (wss?|https?):\/\/([^\s/]+?):(\d+)\//;
const RETRY = "Close other programs that use the port, plug the board in again, and try again.";
const START = 120000; // ms until the board must serve; joining a Wi-Fi may take a while

// Python for the board. The settings are merged into config.json, which is replaced at once.
const SAVE = (settings) => `
import json, os
try:
    with open("/config.json") as file:
        config = json.load(file)
except (OSError, ValueError):
    config = {}
config.setdefault("wifi", {}).update(json.loads(${JSON.stringify(JSON.stringify(settings))}))
with open("/config.json.new", "w") as file:
    json.dump(config, file)
os.rename("/config.json.new", "/config.json")
print("saved")
`;
const SCAN = `
import json, network
wlan = network.WLAN(network.STA_IF)
active = wlan.active()
wlan.active(True)
names = [entry[0].decode() for entry in wlan.scan()]
wlan.active(active)
print(json.dumps(names))
`;

function show(id, text, isProblem = false) {
  $(id).textContent = text;
  $(id).classList.toggle("problem", isProblem);
}

function log(text) {
  $("log").textContent = ($("log").textContent + text.replaceAll("\r", "")).slice(-20000);
}

// --- installing

async function chooseBoard(boards) {
  const board = boards.find((one) => one.key === $("board").value);
  $("install").replaceChildren();
  $("board-notes").textContent = board.notes;
  $("wifi").hidden = !board.wifi;
  $("no-wifi").hidden = board.wifi;
  show("check", "Checking the image …");
  try {
    const manifest = await verified(board);
    if ($("board").value !== board.key) return; // another one was chosen meanwhile
    const button = document.createElement("esp-web-install-button");
    button.manifest = URL.createObjectURL(
      new Blob([JSON.stringify(manifest)], { type: "application/json" }));
    const activate = document.createElement("button");
    activate.slot = "activate";
    activate.textContent = "Install";
    button.append(activate);
    $("install").append(button);
    show("check", `The image is complete: SHA-256 ${board.sha256}`);
  } catch (error) {
    show("check", error.message, true);
  }
}

// Return the manifest of a board, with the image whose checksum was compared in place of its name:
// what is written to the board is what was checked.
async function verified(board) {
  const manifest = await (await fetch(board.manifest)).json();
  const response = await fetch(board.image);
  if (!response.ok) throw new Error(`${board.image} cannot be fetched: ${response.status}`);
  const data = await response.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  const sum = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (sum !== board.sha256) throw new Error(`${board.image} is damaged: reload the page`);
  const url = URL.createObjectURL(new Blob([data]));
  for (const build of manifest.builds) {
    for (const part of build.parts) part.path = url;
  }
  return manifest;
}

// --- Wi-Fi

async function withPrompt(use) {
  const port = await navigator.serial.requestPort();
  const prompt = new Prompt(port, log);
  await prompt.open();
  try {
    return await use(prompt);
  } finally {
    await prompt.close();
  }
}

async function scan(prompt) {
  show("status", "Searching …");
  await prompt.enter();
  const names = JSON.parse((await prompt.run(SCAN, 20000)).trim().split("\n").pop());
  const options = [...new Set(names)].filter(Boolean).map((name) => {
    const option = document.createElement("option");
    option.value = name;
    return option;
  });
  $("networks").replaceChildren(...options);
  await prompt.restart();
  show("status", `${options.length} networks found`);
}

function settings() {
  const name = $("ssid").value;
  const password = $("password").value;
  if (document.forms.wifi.mode.value === "station") {
    return { mode: "station", station_ssid: name, station_password: password };
  }
  return { mode: "ap", ssid: name, password: password || null };
}

async function save(prompt) {
  show("status", "Saving …");
  $("open").hidden = true;
  await prompt.enter();
  await prompt.run(SAVE(settings()));
  show("status", "Restarting …");
  let output = "";
  const before = prompt.onText;
  prompt.onText = (text) => { output += text; before(text); };
  await prompt.restart();
  const [, scheme, address, port] = await prompt.wait(SERVING, START);
  finish(scheme, address, port, output);
}

function finish(scheme, address, port, output) {
  const refused = /wifi: (cannot join [^\r\n]*)/.exec(output);
  const access = /wifi: access point '([^']*)', ([^\r\n]*)/.exec(output);
  const secure = scheme === "wss" || scheme === "https";
  const usual = port === (secure ? "443" : "80");
  $("link").href = `${secure ? "https" : "http"}://${address}${usual ? "" : `:${port}`}/`;
  $("link").textContent = $("link").href;
  $("access").textContent = access
    ? `Join the board's Wi-Fi ${access[1]} (${access[2]}), then open this page:`
    : "The board has joined your Wi-Fi. Open its page:";
  $("open").hidden = false;
  if (refused) show("status", `${refused[1]}. The board has opened its own Wi-Fi.`, true);
  else show("status", "The board serves.");
}

async function act(use) {
  for (const id of ["scan", "save"]) $(id).disabled = true;
  try {
    await withPrompt(use);
  } catch (error) {
    if (error.name === "NotFoundError") show("status", "No port was chosen.");
    // The browser's own errors: a port that is in use, or a board that was unplugged.
    else if (error instanceof DOMException) show("status", `${error.message} ${RETRY}`, true);
    else show("status", error.message, true);
  } finally {
    for (const id of ["scan", "save"]) $(id).disabled = false;
  }
}

// Return why the board would not take the name or the password, or "".
function problem() {
  const { mode, ...texts } = settings();
  const [name, password] = Object.values(texts).map((text) => new TextEncoder().encode(text ?? ""));
  if (name.length > 32) return "The name has more than 32 bytes (UTF-8): use a shorter one.";
  if (password.length > 63) return "The password has more than 63 bytes (UTF-8).";
  if (mode === "ap" && password.length && password.length < 8)
    return "The password must have 8 to 63 characters. Without one, the board generates it.";
  return "";
}

// --- start

if (!("serial" in navigator)) {
  $("unsupported").hidden = false;
} else {
  await import("./esp-web-tools/install-button.js");
}
const { version, boards } = await (await fetch("boards.json")).json();
$("version").textContent = `Version ${version}.`;
for (const board of boards) {
  const option = document.createElement("option");
  option.value = board.key;
  option.textContent = board.name;
  $("board").append(option);
}
$("board").addEventListener("change", () => chooseBoard(boards));
$("scan").addEventListener("click", () => act(scan));
$("wifi").addEventListener("submit", (event) => {
  event.preventDefault();
  const refused = problem();
  if (refused) show("status", refused, true);
  else act(save);
});
await chooseBoard(boards);
document.body.dataset.ready = "yes";
