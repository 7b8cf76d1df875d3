/* The first run: name the board and join a Wi-Fi network, from the board's own access point. */

import {$, isolated, nameBoard, translate} from "./dom.js";
import {COMMON, JOIN} from "./texts.js";

const RETRY = 2000; // ms between two attempts to connect

let socket = null;
let wanted = ""; // the name of the network that the board joins
let isOver = false; // whether the board restarts now

translate({...COMMON, ...JOIN});

async function connect() {
  // The WebSocket API hides the reason of a refusal, so ask by HTTP first.
  const status = await fetch("join", {cache: "no-store", signal: AbortSignal.timeout(8000)})
    .then((response) => response.status, () => 0);
  if (JOIN.why[status]) {
    $("state").textContent = JOIN.why[status];
    return;
  }
  const address = new URL("join", document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  socket = new WebSocket(address);
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (HANDLERS[message.type]) HANDLERS[message.type](message);
  };
  socket.onclose = () => {
    if (isOver) return;
    $("state").textContent = JOIN.lost;
    setBusy(true);
    setTimeout(connect, RETRY);
  };
}

function send(command) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(command));
}

const HANDLERS = {
  __proto__: null,
  hello(message) {
    nameBoard(message.name);
    $("board").replaceChildren(isolated(message.name));
    $("note").textContent = message.reason ? JOIN.last(message.reason) : "";
    if (message.address) {
      showJoined(message);
      return;
    }
    if (!$("name").value) $("name").value = message.name;
    $("join").hidden = false;
    if (message.failed) $("note").textContent = JOIN.failed(message.failed.ssid, message.failed.reason);
    if (message.joining) HANDLERS.joining({ssid: message.joining});
    else scan();
  },
  networks({networks}) {
    const chosen = $("network").options.length ? $("network").value : null; // at first the strongest
    const label = ({ssid, rssi, open}) => [ssid, JOIN.strength(rssi), open ? JOIN.open : ""].filter(Boolean).join(" \u00b7 ");
    $("network").replaceChildren(
      ...networks.map((one) => new Option(label(one), one.ssid)), new Option(JOIN.other, ""));
    if ([...$("network").options].some((option) => option.value === chosen)) $("network").value = chosen;
    $("state").textContent = JOIN.found(networks.length);
    setBusy(false);
    showOther();
  },
  joining({ssid}) {
    wanted = ssid;
    showProblems({});
    $("state").textContent = JOIN.joining(ssid);
    setBusy(true);
  },
  failed({reason}) {
    $("state").textContent = "";
    $("note").textContent = JOIN.failed(wanted, reason);
    setBusy(false);
    $("password").focus({preventScroll: true});
    $("note").scrollIntoView({block: "center"}); // the reason comes first
  },
  problems({problems}) {
    setBusy(false);
    $("state").textContent = "";
    showProblems(problems);
    const first = document.querySelector("[aria-invalid]");
    if (first) first.focus();
  },
  joined: showJoined,
  reached() {
    isOver = true;
    $("state").textContent = JOIN.reached;
    $("deadline").textContent = "";
  },
  reverted({reason}) {
    isOver = true;
    $("state").textContent = JOIN.reverted(reason);
    $("done").hidden = true;
  },
  error({error}) {
    setBusy(false);
    $("state").textContent = "";
    $("note").textContent = COMMON.error(error);
  },
};

/* Show each problem at its field, and remove older ones. */
function showProblems(problems) {
  for (const [id, field] of [["name", "hostname"], ["ssid", "station_ssid"], ["password", "station_password"]]) {
    const problem = problems["wifi." + field];
    $(id + "-note").textContent = problem ? problem[0].toUpperCase() + problem.slice(1) + "." : "";
    if (problem) $(id).setAttribute("aria-invalid", "true");
    else $(id).removeAttribute("aria-invalid");
  }
}

/* Show where the board is. The links lead to this page there, which tells the board that it was reached. */
function showJoined({address, name, port, ssid = wanted, minutes = 10}) {
  const here = [address, name + ".local"].includes(location.hostname);
  $("join").hidden = true;
  $("done").hidden = here;
  $("state").textContent = here ? JOIN.reached : "";
  if (here) return;
  const where = port === 80 ? "" : ":" + port;
  for (const [id, host] of [["address", address], ["local", name + ".local"]]) {
    $(id).href = `http://${host}${where}/join.html`;
    $(id).textContent = `http://${host}${where}/`;
  }
  $("steps").textContent = JOIN.steps(ssid);
  $("deadline").textContent = JOIN.deadline(minutes);
  $("done-title").focus();
}

function setBusy(busy) {
  for (const id of ["go", "scan"]) $(id).disabled = busy;
}

function scan() {
  setBusy(true);
  $("state").textContent = JOIN.scanning;
  send({scan: true});
}

function showOther() {
  $("other").hidden = $("network").value !== "";
}

$("network").onchange = showOther;
$("scan").onclick = scan;
$("show").onchange = () => { $("password").type = $("show").checked ? "text" : "password"; };
$("join").onsubmit = (event) => {
  event.preventDefault();
  $("note").textContent = "";
  const ssid = $("network").value || $("ssid").value;
  setBusy(true);
  send({join: {name: $("name").value.trim(), ssid, password: $("password").value}});
};

connect();
