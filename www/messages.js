/* The registry of message types: each module registers those that it handles. */

const handlers = new Map();

/* Call function(message) for each message of this type. */
export function onMessage(type, handler) {
  handlers.set(type, [...(handlers.get(type) || []), handler]);
}

/* Handle what the board has sent. Return the type, or "" for a text that is no message. */
export function dispatch(text) {
  let message = null;
  try { message = JSON.parse(text); } catch { /* an echo */ }
  const type = message && typeof message === "object" ? String(message.type) : "";
  for (const handler of handlers.get(type) || []) handler(type ? message : text);
  return type;
}
