"""The overview page of the gateway: all boards with their state and links."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .viewers import Board

_SHOWN = ("version", "clients", "senders", "dropped", "heap")


def listing(boards: Iterable[Board]) -> list[dict]:
    """Return what /boards tells, as JSON, about each board."""
    return [
        {
            "name": board.name,
            "online": board.online,
            "viewers": len(board.viewers),
            "state": {key: board.state[key] for key in _SHOWN if key in board.state},
            "url": f"/boards/{board.name}/",
        }
        for board in sorted(boards, key=_order)
    ]


def _order(board: Board) -> list:
    """Return a key by which board-2 comes before board-10."""
    parts = re.split(r"([0-9]+)", board.name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Boards</title>
<link rel="icon" href="data:,">
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  color-scheme: light dark; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #8886; }
.number { text-align: right; }
td, th { white-space: nowrap; }
#scroll { overflow-x: auto; }
.offline { opacity: .7; }
</style>
<h1>Boards</h1>
<p id="summary" role="status">Loading</p>
<div id="scroll" tabindex="0" role="region" aria-label="Boards">
<table><thead><tr><th scope="col">Board<th scope="col">Status<th scope="col">Version
<th scope="col" class="number">Local clients<th scope="col" class="number">Viewers
<th scope="col" class="number">Heap<th scope="col" class="number">Dropped</tr></thead>
<tbody id="boards"></tbody></table></div>
<script>
function row(board) {
  const tr = document.createElement("tr");
  tr.className = board.online ? "" : "offline";
  const link = document.createElement("a");
  link.href = board.url.slice(1);
  link.textContent = board.name;
  const {version, clients, heap, dropped} = board.state;
  const kb = heap === undefined ? "" : Math.round(heap / 1024) + " KB";
  const values = [link, board.online ? "online" : "offline", version, clients,
    board.viewers, kb, dropped];
  values.forEach((value, column) => {
    const td = document.createElement("td");
    td.append(value === undefined ? "" : value);
    if (column > 2) td.className = "number";
    tr.append(td);
  });
  return tr;
}
async function load() {
  const summary = document.getElementById("summary");
  try {
    const answer = await fetch("boards" + location.search);
    if (!answer.ok) throw new Error(await answer.text());
    const boards = await answer.json();
    const online = boards.filter((board) => board.online).length;
    summary.textContent = online + " of " + boards.length + " boards are online";
    document.getElementById("boards").replaceChildren(...boards.map(row));
  } catch (error) {
    summary.textContent = "No answer from the gateway: " + error.message;
  }
  setTimeout(load, 2000);
}
load();
</script>
</html>
"""
