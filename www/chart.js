"use strict";

const POINTS = 45;

/* A line chart of the latest values on a small canvas, with the latest value as text above it. */
class Chart {
  /* most: the top of the scale, or 0 to adapt it to the values. format(value): the text for a value. */
  constructor(parent, title, most, format) {
    this.title = title;
    this.most = most;
    this.format = format;
    this.values = [];
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    this.text = document.createElement("b");
    this.text.textContent = "\u2013";
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", title + ": no values yet");
    caption.append(title, this.text);
    figure.append(caption, this.canvas);
    parent.append(figure);
    addEventListener("resize", () => this.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  add(value) {
    this.values.push(value);
    if (this.values.length > POINTS) this.values.shift();
    this.text.textContent = this.format(value);
    const low = this.format(Math.min(...this.values));
    const high = this.format(Math.max(...this.values));
    this.canvas.setAttribute("aria-label", `${this.title}: ${this.format(value)}, from ${low} to ${high} lately`);
    this.draw();
  }

  draw() {
    const {canvas, values} = this;
    const scale = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !values.length) return;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const most = this.most || 1.15 * Math.max(...values) || 1;
    const x = (index) => width - 3 - (values.length - 1 - index) * (width - 6) / (POINTS - 1);
    const y = (value) => height - 2 - Math.min(value / most, 1) * (height - 6);
    pen.scale(scale, scale);
    pen.strokeStyle = style.getPropertyValue("--line");
    pen.beginPath();
    pen.moveTo(0, height - 1.5);
    pen.lineTo(width, height - 1.5);
    pen.stroke();
    pen.strokeStyle = pen.fillStyle = style.getPropertyValue("--chart");
    pen.lineWidth = 2;
    pen.lineJoin = pen.lineCap = "round";
    pen.beginPath();
    values.forEach((value, index) => pen.lineTo(x(index), y(value)));
    pen.stroke();
    pen.lineTo(x(values.length - 1), height - 2);
    pen.lineTo(x(0), height - 2);
    pen.globalAlpha = 0.12;
    pen.fill();
    pen.globalAlpha = 1;
    pen.beginPath();
    pen.arc(x(values.length - 1), y(values[values.length - 1]), 3, 0, 7);
    pen.fill();
  }
}
