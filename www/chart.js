/* Line charts with a time axis, a range and gaps. */

import {element} from "./dom.js";
import {duration, valueText} from "./format.js";
import {PAGE} from "./texts.js";

const SPAN = 120; // seconds on the time axis, unless the board stores a longer history
const GAP = 3500; // ms between two values that are not connected
const MOST_POINTS = 600;

/* A chart of the latest values, with the latest one as text above it. */
export class Chart {
  /* label, unit, minimum, maximum: as in the description of a widget. */
  constructor(parent, {label, unit = "", minimum, maximum}) {
    Object.assign(this, {label, unit, minimum, maximum, points: [], span: SPAN * 1000, gap: GAP});
    this.text = element("b", {}, PAGE.noValue);
    this.canvas = element("canvas", {role: "img", "aria-label": `${label}: ${PAGE.noValues}`});
    this.high = element("span");
    this.low = element("span");
    this.since = element("span");
    this.note = element("p", {className: "note", role: "status"});
    const plot = element("div", {className: "plot"},
      element("div", {className: "range"}, this.high, this.low), this.canvas,
      element("div", {className: "times"}, this.since, element("span", {}, PAGE.now)));
    this.figure = element("figure", {},
      element("figcaption", {}, element("bdi", {}, label), this.text), plot, this.note);
    parent.append(this.figure);
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.draw();
  }

  /* Add a value; null is a gap. */
  add(value) {
    this.points.push([performance.now(), typeof value === "number" ? value : null]);
    if (this.points.length > MOST_POINTS) this.points.shift();
    this.draw();
  }

  /* Show the samples that the board has stored, before those that this page has received. */
  addHistory({every, age, values}) {
    this.span = Math.max(this.span, every * values.length);
    this.gap = Math.max(GAP, 1.5 * every);
    const latest = performance.now() - age;
    const first = this.points.length ? this.points[0][0] : Infinity;
    const stored = values.map((value, index) => [latest - (values.length - 1 - index) * every, value]);
    this.points.unshift(...stored.filter(([time]) => time < first));
    this.draw();
  }

  draw() {
    const {canvas, unit} = this;
    const now = performance.now();
    const shown = this.points.filter(([time]) => time >= now - this.span);
    const known = shown.map(([, value]) => value).filter((value) => value !== null);
    this.since.textContent = PAGE.ago(duration(this.span / 1000));
    if (!known.length) return;
    const least = Math.min(...known);
    const most = Math.max(...known);
    const margin = (most - least || Math.abs(most) || 1) * 0.1;
    const low = this.minimum ?? (least >= 0 && least <= most / 2 || this.maximum !== undefined ? 0 : least - margin);
    const high = this.maximum ?? most + margin;
    this.high.textContent = valueText(round(high, high - low), unit);
    this.low.textContent = valueText(round(low, high - low), unit);
    const last = this.points[this.points.length - 1][1];
    this.text.textContent = valueText(last, unit);
    canvas.setAttribute("aria-label",
      PAGE.chart(this.label, valueText(last, unit), valueText(least, unit), valueText(most, unit)));
    this.paint(shown, now, low, high);
  }

  paint(shown, now, low, high) {
    const {canvas} = this;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width) return;
    const scale = devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const x = (time) => width - 3 - (now - time) / this.span * (width - 6);
    const y = (value) => height - 2 - (Math.min(Math.max(value, low), high) - low) / (high - low) * (height - 5);
    pen.scale(scale, scale);
    pen.strokeStyle = style.getPropertyValue("--line");
    for (const line of [0.5, height - 0.5]) {
      pen.beginPath();
      pen.moveTo(0, line);
      pen.lineTo(width, line);
      pen.stroke();
    }
    pen.strokeStyle = pen.fillStyle = style.getPropertyValue("--chart");
    pen.lineWidth = 2;
    pen.lineJoin = pen.lineCap = "round";
    pen.beginPath();
    let before = null; // the time of the point that the next one is connected to
    for (const [time, value] of shown) {
      if (value === null) before = null;
      else {
        if (before === null || time - before > this.gap) pen.moveTo(x(time), y(value));
        pen.lineTo(x(time), y(value));
        before = time;
      }
    }
    pen.stroke();
    if (before === null) return;
    const [time, value] = shown[shown.length - 1];
    pen.beginPath();
    pen.arc(x(time), y(value), 3, 0, 7);
    pen.fill();
  }
}

/* Round the end of an axis to three digits of its range. */
function round(value, range) {
  const digits = 10 ** Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(range))));
  return Math.round(value * digits) / digits;
}
