/* Where the board will be after its settings have changed. */

import {OUTCOME} from "./texts.js";

const NETWORK = {ap: ["mode", "ssid", "password", "ip"], station: ["mode", "station_ssid", "station_password"]};
const ADDRESS = /^(\d+\.\d+\.\d+\.\d+|\[.*\])$/;

/* changed: {section: {field: value}}; value(id): a value after the change; hostname: before it; here: the location of
   this page. Return texts for the user, the address of the board's pages, and whether the page itself cannot wait for
   the board there (elsewhere): then the user must log in at the new address to confirm the change. */
export function outcome(changed, value, hostname, here) {
  const {wifi = {}, server = {}, tls = {}, admin = {}, access = {}, network} = changed;
  const texts = [];
  const isStation = value("wifi.mode") !== "ap";
  const hasMoved = Boolean(network) || NETWORK[isStation ? "station" : "ap"].some((name) => name in wifi);
  const name = value("wifi.hostname");
  const isSecure = here.protocol === "https:";
  const isTlsOff = isSecure && tls.enabled === false;
  const scheme = isTlsOff ? "http:" : here.protocol;
  const usedPort = Number(here.port || (isSecure ? 443 : 80));
  const port = isTlsOff ? value("server.port") : (isSecure ? tls : server).port ?? usedPort;
  const folder = here.pathname.replace(/[^/]*$/, "");
  const host = hostAfter();
  const url = (one, to = host, at = port) => `${one}//${to}${at === (one === "https:" ? 443 : 80) ? "" : ":" + at}`;
  const link = url(scheme) + folder;

  function hostAfter() {
    if (network || hasMoved && isStation) return `${name}.local`;
    if ("ip" in wifi && !isStation) return wifi.ip;
    if ("hostname" in wifi && here.hostname === `${hostname}.local`) return `${name}.local`;
    if ("hostname" in wifi && here.hostname === hostname) return name;
    const known = [name, `${name}.local`, "localhost", ...(access.hosts || [])].map((one) => one.toLowerCase());
    const isKnown = (one) => known.includes(one) || known.includes("*")
      || known.some((known) => known.startsWith("*.") && one.endsWith(known.slice(1)));
    return !access.hosts || ADDRESS.test(here.hostname) || isKnown(here.hostname) ? here.hostname : `${name}.local`;
  }

  if (network) texts.push(OUTCOME.network(name));
  else if (hasMoved) {
    texts.push(isStation ? OUTCOME.joinOther(value("wifi.station_ssid"), value("wifi.ssid"))
      : OUTCOME.joinOwn(value("wifi.ssid")));
  }
  if ("ip" in wifi && !isStation) texts.push(OUTCOME.newAddress(wifi.ip));
  if ("hostname" in wifi) texts.push(OUTCOME.newName(url(scheme, `${wifi.hostname}.local`) + "/"));
  if (isTlsOff) texts.push(OUTCOME.tlsOff);
  const redirects = !isSecure && value("tls.enabled") && value("tls.redirect") && ("redirect" in tls || "enabled" in tls);
  if (!isSecure && (tls.enabled || redirects)) {
    texts.push((redirects ? OUTCOME.redirect : OUTCOME.tlsOn)(url("https:", host, value("tls.port")) + "/"));
  }
  if (!isSecure && value("tls.enabled") && value("access.maintenance_tls") && (tls.enabled || access.maintenance_tls)) {
    texts.push(OUTCOME.maintenance(url("https:", host, value("tls.port")) + "/settings.html"));
  }
  // The port of the other scheme is the board's own. Behind a mapped port, the browser needs another one.
  const ownPort = value(isSecure ? "tls.port" : "server.port");
  const isOther = isSecure ? isTlsOff : texts.some((text) => text.includes("https:"));
  if (isOther && !(isSecure ? tls : server).port && usedPort !== ownPort) texts.push(OUTCOME.mapped(usedPort, ownPort));
  if (isSecure && !isTlsOff && tls.client_ca) texts.push(OUTCOME.clients);
  if (admin.password === null) texts.push(OUTCOME.generated);
  if (admin.enabled === false) texts.push(OUTCOME.adminOff);
  const hasOtherLink = link !== url(here.protocol, here.hostname, usedPort) + folder;
  const elsewhere = hasMoved || hasOtherLink || redirects || admin.password === null || admin.enabled === false;
  return {texts, link, elsewhere};
}
