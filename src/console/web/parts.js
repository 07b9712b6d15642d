// Pieces that several views show: a state in words and with a shape, a sum with its source, odds against their threshold, a decision.

import { el } from "./dom.js";
import * as f from "./format.js";

/** A shape and a word; the colour only repeats them. `kind` is good, bad, warn, soft or unknown. */
export function state(kind, text, title) {
  const shape = { good: "✓", bad: "✕", warn: "!", soft: "○", unknown: "?" }[kind];
  return el(`span.state.${kind}`, { title }, el("span.shape", { "aria-hidden": "true" }, shape), " ", text);
}

/** How long ago, kept up to date by the page's clock. */
export const ago = (ms) => (Number.isFinite(ms) ? el("span", { "data-ago": ms }, "…") : "?");

/** How long until then. */
export const until = (ms) => (Number.isFinite(ms) ? el("span", { "data-until": ms }, "…") : "?");

/** A sum with its unit; under it where it is from, or why it is not known. */
export function money(it, brief = false) {
  if (!it) return el("span.soft", null, "–");
  const text = f.sum(it.amount, it.unit), isLoss = it.amount < 0;
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
  const label = `SELL ${f.fixed(d.p_sell, 3)}, HOLD ${f.fixed(d.p_hold, 3)}, BUY ${f.fixed(d.p_buy, 3)}; threshold ${f.plain(d.threshold)}`;
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
  const word = action === "HOLD" ? "" : p > d.threshold ? ` > ${f.plain(d.threshold)}` : ` ≤ ${f.plain(d.threshold)}`;
  return `${action} ${f.fixed(p, 3)}${word}`;
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
  if (volume === null) return filled === null ? "the gateway's own" : f.plain(filled);
  return filled !== null && filled !== volume ? `${f.plain(filled)} of ${f.plain(volume)}` : f.plain(volume);
}
