/* The icons of widgets, by name: paths in a square of 24. docs/widgets.md lists the names. */

const ICONS = {
  __proto__: null,
  battery: "M3 8h15v8H3zM21 11v2M6 11v2M9 11v2",
  bell: "M6 17v-6a6 6 0 0 1 12 0v6l2 2H4zM10 21h4",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3 3",
  colour: "M12 3a9 9 0 1 0 0 18c2 0 2-1.5 1.5-2.5s0-2.5 1.5-2.5h3a3 3 0 0 0 3-3c0-5-4-10-9-10zM8 12h.01M10 8h.01M15 8h.01",
  door: "M6 21V3h12v18M3 21h18M14 12h1",
  drop: "M12 3c4 5 6 8 6 11a6 6 0 0 1-12 0c0-3 2-6 6-11z",
  fan: "M12 12c0-5 4-8 6-6s-1 6-6 6c5 0 8 4 6 6s-6-1-6-6c0 5-4 8-6 6s1-6 6-6c-5 0-8-4-6-6s6 1 6 6z",
  gauge: "M4 18a9 9 0 1 1 16 0M12 14l4-5",
  home: "M4 11l8-7 8 7v10h-5v-6H9v6H4z",
  lamp: "M9 18h6M10 21h4M12 3a6 6 0 0 0-4 10.5c.7.7 1 1.5 1 2.5h6c0-1 .3-1.8 1-2.5A6 6 0 0 0 12 3z",
  lock: "M6 11h12v10H6zM8 11V8a4 4 0 0 1 8 0v3",
  plant: "M12 21v-9M12 12c0-4-3-6-7-6 0 4 3 6 7 6zM12 15c0-3 3-5 7-5 0 3-3 5-7 5z",
  power: "M12 3v9M7 6a8 8 0 1 0 10 0",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5L19 19M5 19l1.5-1.5M17.5 6.5L19 5",
  thermometer: "M12 3a2 2 0 0 0-2 2v9a4 4 0 1 0 4 0V5a2 2 0 0 0-2-2zM12 9v8",
};

/* Return the elements for an icon: none for an unknown name. */
export function drawIcon(name) {
  if (!ICONS[name]) return [];
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return [svg];
}
