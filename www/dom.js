/* Helpers for elements, texts and stored drafts. */

import {LANGUAGE} from "./texts.js";

export const $ = (id) => document.getElementById(id);

/* Make an element with these properties, attributes (data-, aria-, role) and children: elements, or texts. Texts are
   never HTML, because they may come from other users. */
export function element(kind, properties = {}, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "role" || name.includes("-")) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/* A text of unknown direction, which must not change the order of the text around it. */
export function isolated(text) {
  return element("bdi", {}, text);
}

/* Put texts into the elements that name one: data-text, or data-label for their accessible name. */
export function translate(texts) {
  document.documentElement.lang = LANGUAGE;
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = texts[one.dataset.text];
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", texts[one.dataset.label]);
}

/* Drafts and the user's name survive a reload, unless the browser refuses to store them. */
export const store = {
  get(name) {
    try { return sessionStorage.getItem(name) || ""; } catch { return ""; }
  },
  set(name, value) {
    try { sessionStorage.setItem(name, value); } catch { /* see above */ }
  },
};

/* Store what is typed into a field. */
export function keepDraft(field) {
  field.value = store.get("draft of " + field.id);
  field.addEventListener("input", () => store.set("draft of " + field.id, field.value));
}

export function setDraft(field, value) {
  field.value = value;
  store.set("draft of " + field.id, value);
}

/* Name the board in the title, the heading and the icon. */
export function nameBoard(name) {
  document.title = name;
  const colour = `hsl(${[...name].reduce((sum, char) => sum + char.codePointAt(0), 0) * 47 % 360} 60% 32%)`;
  const letter = ([...name][0] || "").toUpperCase().replace(/[<&]/, "");
  $("icon").href = "data:image/svg+xml," + encodeURIComponent(
    `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><rect width='16' height='16' rx='3' fill='${colour}'/>`
    + `<text x='8' y='12' font-size='11' text-anchor='middle' fill='#fff' font-family='sans-serif'>${letter}</text></svg>`);
}
