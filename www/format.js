/* Numbers, durations and times in the browser's language. */

import {COMMON, PAGE} from "./texts.js";

const plainNumber = new Intl.NumberFormat(undefined, {maximumFractionDigits: 2});

export function number(value) {
  return plainNumber.format(value);
}

/* The text for the value of a widget. Seconds become minutes, hours and days. */
export function valueText(value, unit = "") {
  if (value === null || value === undefined) return PAGE.noValue;
  if (typeof value === "boolean") return value ? PAGE.yes : PAGE.no;
  if (typeof value === "string") return value;
  if (unit === "s" && value >= 60) return duration(value);
  return unit ? `${number(value)}\u00a0${unit}` : number(value);
}

export function duration(seconds) {
  const {second, minute, hour, day} = COMMON;
  const parts = [
    [Math.floor(seconds / 86400), day], [Math.floor(seconds / 3600) % 24, hour],
    [Math.floor(seconds / 60) % 60, minute], [Math.floor(seconds) % 60, second],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  const shown = first < 0 ? parts.slice(3) : parts.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => `${number(count)}\u00a0${unit}`).join(" ");
}

export function timeOfDay() {
  return new Date().toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});
}
