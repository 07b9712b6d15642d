// What every view is made of: elements, numbers and times as text, and the pieces that several views show. What the first sentence
// needs of it is in boot.js.

import { el, isLatched, state, store } from "./boot.js";

export { el, isLatched, state };

// ---- elements ----

/** Makes `old` like `fresh`, and keeps what is alike: focus, scrolling and open details survive an update. */
export function morph(old, fresh) {
  for (const { name } of [...old.attributes]) {
    // What the reader has opened stays open.
    if (!fresh.hasAttribute(name) && !(name === "open" && old.localName === "details")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  morphChildren(old, fresh);
}

/** The same for the children alone. An element with the same data-keep belongs to a plot, and stays as it is. */
export function morphChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  wanted.forEach((next, at) => {
    const there = old.childNodes[at];
    if (!there) old.append(next);
    else if (!isAlike(there, next)) there.replaceWith(next);
    else if (next.nodeType === Node.TEXT_NODE) { if (there.data !== next.data) there.data = next.data; }
    else if (!next.dataset?.keep) morph(there, next);
  });
  while (old.childNodes.length > wanted.length) old.lastChild.remove();
}

function isAlike(one, other) {
  return one.nodeName === other.nodeName && one.dataset?.keep === other.dataset?.keep && one.id === other.id;
}

/** A table whose rows become cards on a phone: `columns` are [name, class], `rows` are lists
 * of cells or {cells, attributes}. A card of a `brief` table has no names. */
export function table(columns, rows, empty, kind = "whole") {
  if (!rows.length) return el("p.soft", null, empty);
  const isEmpty = (it) => it === "" || it === null || it === undefined || it === false || (Array.isArray(it) && it.every(isEmpty));
  const cell = (content, at) => el("td", { class: columns[at][1], "data-is": columns[at][0] }, isEmpty(content) ? null : el("div", null, content));
  const line = (row) => {
    const { cells = row, attributes = null } = Array.isArray(row) ? {} : row;
    return el("tr", attributes, cells.map(cell));
  };
  const head = columns.map(([name, kind]) => el("th", { class: kind, scope: "col" }, name));
  const whole = el(`table.cards.${kind}`, null, el("thead", null, el("tr", null, head)), el("tbody", null, rows.map(line)));
  return el("div.wrap", null, whole);
}

// ---- text: every time names its zone; `?` is what Sentinel does not know, and never 0 ----

const MINUS = "−";
const pad = (number) => String(number).padStart(2, "0");

/** "utc" or "local". */
export const zone = { kind: store.read("zone") === "local" ? "local" : "utc" };

const parts = (ms) => {
  const at = new Date(ms);
  return zone.kind === "utc"
    ? [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()]
    : [at.getFullYear(), at.getMonth(), at.getDate(), at.getHours(), at.getMinutes(), at.getSeconds()];
};

/** "UTC", or how far this device's zone is from it at that time: "UTC+1". */
export function zoneName(ms = Date.now()) {
  if (zone.kind === "utc") return "UTC";
  const minutes = -new Date(ms).getTimezoneOffset(), size = Math.abs(minutes);
  const rest = size % 60 ? `:${pad(size % 60)}` : "";
  return `UTC${minutes < 0 ? MINUS : "+"}${Math.floor(size / 60)}${rest}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The date before a time; with the year if it is not that of `now`. */
function date(ms, now) {
  const [y, mo, d] = parts(ms);
  return `${d} ${MONTHS[mo]}${y === parts(now)[0] ? "" : ` ${y}`} `;
}

/** 28 Nov 14:03 UTC; with the year if it is not that of `now`. */
export function moment(ms, now = Date.now()) {
  if (!Number.isFinite(ms)) return "?";
  const [, , , h, m] = parts(ms);
  return `${date(ms, now)}${pad(h)}:${pad(m)} ${zoneName(ms)}`;
}

/** 45 s, 3 min 5 s, 2 h 10 min, 3 d 4 h */
export function age(ms) {
  if (!Number.isFinite(ms)) return "?";
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

/** How long something took: 420 ms, 1.5 s, 2 h 10 min. */
export function took(ms) {
  if (!Number.isFinite(ms)) return "?";
  if (ms >= 60000) return age(ms);
  return ms < 1 ? "under 1 ms" : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** 14:03:58 UTC; with the date if that is not the day of `now`. */
export function clock(ms, now = Date.now()) {
  if (!Number.isFinite(ms)) return "?";
  const at = parts(ms), isToday = parts(now).slice(0, 3).join() === at.slice(0, 3).join();
  return `${isToday ? "" : date(ms, now)}${at.slice(3).map(pad).join(":")} ${zoneName(ms)}`;
}

/** 28 Nov, or 14:00 within a day, 14:00:05 within minutes: for an axis, which names the zone once. */
export function tick(ms, previous) {
  const [y, mo, d, h, m, s] = parts(ms), before = previous === undefined ? [] : parts(previous);
  if (before[2] === d && before[1] === mo && before[0] === y) return `${pad(h)}:${pad(m)}${ms - previous < 60000 ? `:${pad(s)}` : ""}`;
  return `${d} ${MONTHS[mo]}`;
}

/** With so many decimals, or "?". */
export function fixed(value, decimals) {
  if (!Number.isFinite(value)) return "?";
  return value.toFixed(decimals).replace("-", MINUS);
}

/** As it is, without trailing zeros. */
export const plain = (value) => (Number.isFinite(value) ? String(value).replace("-", MINUS) : "?");

/** 12.3 % */
export const percent = (share, decimals = 1) => (Number.isFinite(share) ? `${fixed(share * 100, decimals)} %` : "?");

/** Bytes: 1.5 MiB */
export function bytes(count) {
  if (!Number.isFinite(count)) return "?";
  return count < 1048576 ? `${Math.ceil(count / 1024)} KiB` : `${(count / 1048576).toFixed(1)} MiB`;
}

/** +12.40 USD; "?" if it is not known. */
export function sum(amount, unit, sign = true) {
  if (!Number.isFinite(amount)) return "?";
  const decimals = unit === "points" ? 1 : 2, text = fixed(amount, decimals);
  const isNull = Number(amount.toFixed(decimals)) === 0;
  return `${sign && amount > 0 && !isNull ? "+" : ""}${isNull ? text.replace(MINUS, "") : text}${unit ? ` ${unit}` : ""}`;
}

// ---- pieces ----

/** How long ago, kept up to date by the page's clock. */
export const ago = (ms) => (Number.isFinite(ms) ? el("span", { "data-ago": ms }, "…") : "?");

/** How long until then. */
export const until = (ms) => (Number.isFinite(ms) ? el("span", { "data-until": ms }, "…") : "?");

/** A sum with its unit; under it where it is from, or why it is not known. */
export function money(it, brief = false) {
  if (!it) return el("span.soft", null, "–");
  const text = sum(it.amount, it.unit), isLoss = it.amount < 0;
  const notes = [it.is_before_costs && "before costs", it.amount === null ? it.why ?? "not known" : sourceOf(it), it.amount !== null && it.why];
  const note = notes.filter(Boolean).join("; ");
  return el("span.money", { title: note }, el("b", { class: isLoss ? "loss" : it.amount > 0 ? "gain" : null }, text),
    note && (!brief || it.amount === null || it.is_before_costs) ? el("small", null, note) : null);
}

const SOURCES = { gateway: "by the gateway", estimated: "estimated", statement: "by the statement", paper: "", mixed: "several sources" };
export const sourceOf = (it) => (it.source ? SOURCES[it.source] ?? it.source : "");

/** The odds as one bar from 0 to 1, SELL from the left, BUY from the right; a line at each side's threshold. */
export function oddsBar(d) {
  if (![d.p_sell, d.p_hold, d.p_buy].every(Number.isFinite)) return null;
  const wide = (share) => Math.max(0, Math.min(100, share * 100));
  const label = `SELL ${fixed(d.p_sell, 3)}, HOLD ${fixed(d.p_hold, 3)}, BUY ${fixed(d.p_buy, 3)}; threshold ${plain(d.threshold)}`;
  const edge = (x) => el("line.edge", { x1: x, x2: x, y1: 0, y2: 10 });
  return el("svg.odds", { viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img", "aria-label": label },
    el("rect.hold", { x: 0, y: 2, width: 100, height: 6 }),
    el("rect.sell", { x: 0, y: 2, width: wide(d.p_sell), height: 6 }),
    el("rect.buy", { x: 100 - wide(d.p_buy), y: 2, width: wide(d.p_buy), height: 6 }),
    edge(wide(d.threshold)), edge(100 - wide(d.threshold)));
}

/** The odds in words: the likeliest first. */
export function oddsText(d) {
  const all = [["BUY", d.p_buy], ["SELL", d.p_sell], ["HOLD", d.p_hold]].filter(([, p]) => Number.isFinite(p));
  if (!all.length) return "no odds";
  const [action, p] = all.reduce((best, next) => (next[1] > best[1] ? next : best));
  const word = action === "HOLD" ? "" : p > d.threshold ? ` > ${plain(d.threshold)}` : ` ≤ ${plain(d.threshold)}`;
  return `${action} ${fixed(p, 3)}${word}`;
}

/** What was decided, in words and with a shape. */
export function verdict(d) {
  if (!d) return state("soft", "nothing yet");
  const { action, result } = d;
  if (result === "sent") return ORDER_STATES[d.order_state]?.(`${action} sent: ${d.order_state}`) ?? state("soft", `${action} sent`);
  if (result === "suppressed") return state("soft", `${action}, not sent`);
  if (result === "failed") return state("bad", action ? `${action}: failed` : "no decision");
  return state("soft", action ?? "no decision");
}

/** Why: the rule that stopped it, the failure, or that no rule did. Two parts: the short name and the sentence. */
export function why(d) {
  if (!d) return ["", ""];
  if (d.failure) return [`${d.failure.stage}: ${d.failure.kind}`, d.failure.detail ?? ""];
  if (d.reason) return [d.reason, d.rule ?? ""];
  if (d.action === "HOLD") return ["", "HOLD has the highest probability"];
  return d.action ? ["", "above the threshold, and no rule stopped it"] : ["", ""];
}

export const whyCell = (d) => {
  const [name, sentence] = why(d);
  return [name && el("b.reason", null, name), name && sentence ? " " : null, sentence && el("small", null, sentence)];
};

const as = (kind) => (text) => state(kind, text);
/** How each state of an order is shown. */
export const ORDER_STATES = {
  intent: as("warn"), sending: as("warn"), filled: as("good"), rejected: as("bad"), not_sent: as("bad"), expired: as("soft"),
  unknown: as("unknown"),
};
export const orderState = (name) => (ORDER_STATES[name] ?? as("soft"))(name);

/** A titled part of a view. */
export const section = (title, ...content) => el("section", null, el("h2", null, title), ...content);

/** Small figures side by side: [name, content, note]. */
export const tiles = (list) =>
  el("dl.tiles", null, list.filter(Boolean).map(([name, content, note]) =>
    el("div.tile", null, el("dt", null, name), el("dd", null, el("b", null, content), note && el("small", null, note)))));

/** Lots: 0.1, or 0.04 of 0.1 if it was filled in part. */
export function lots(order) {
  const { volume, filled_volume: filled } = order;
  if (volume === null) return filled === null ? "the gateway's own" : plain(filled);
  return filled !== null && filled !== volume ? `${plain(filled)} of ${plain(volume)}` : plain(volume);
}

/** Whether no order is sent until a person resumes: by the kill switch or by the limit of failed orders. */
export const isStopped = (halt) => halt.is_halted || isLatched(halt);
