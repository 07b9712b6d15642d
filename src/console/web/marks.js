// The marks of signals on the candles: which a bar has, how each is drawn, and what it says.

import * as f from "./parts.js";

/** The legend: shape and words, in the order of importance. */
export const LEGEND = [["▲▼", "sent, at the fill's price"], ["△▽", "not sent: point at it for the reason"], ["?", "unknown outcome"],
  ["×", "refused"], ["◆", "paper, at its entry"]];

/** The marks of one bar's odds: at most one live and one paper. */
export function glyphs(odds) {
  const found = [], isSignal = odds.action === "BUY" || odds.action === "SELL";
  if (["sent", "unknown", "refused"].includes(odds.mark)) found.push({ kind: odds.mark, side: odds.action, price: odds.price });
  else if (odds.mark === "suppressed" && isSignal) found.push({ kind: "suppressed", side: odds.action, price: null });
  if (odds.paper?.mark === "sent") found.push({ kind: "paper", side: odds.paper.side, price: odds.paper.price });
  return found;
}

/** What the marks of a bar say; empty if it has none. */
export function say(odds, digits) {
  if (!odds) return "";
  const at = (price) => (Number.isFinite(price) ? ` at ${f.fixed(price, digits)}` : "");
  const because = [odds.reason, odds.rule].filter(Boolean).join(": ");
  const live = {
    sent: `${odds.action} sent${at(odds.price)}`,
    unknown: `${odds.action}: outcome unknown${because ? `, ${because}` : ""}`,
    refused: `${odds.action} refused${because ? `: ${because}` : ""}`,
    suppressed: `${odds.action}, not sent: ${because}`,
    failed: `failed: ${because}`,
    hold: because ? `HOLD: ${because}` : "HOLD",
  }[odds.mark] ?? odds.mark;
  const { paper } = odds;
  const beside = !paper ? "" : paper.mark === "sent" ? `paper ${paper.side}${at(paper.price) || " waits for the next open"}`
    : paper.reason && paper.reason !== odds.reason ? `paper: ${paper.reason}` : "";
  return [live, beside].filter(Boolean).join(" · ");
}

/** Whether a bar has a mark that a list should name. */
export const hasMark = (odds) => odds !== null && glyphs(odds).length > 0;

/** Draws one at a place of the canvas. BUY points up from below the price, SELL down from above it. */
export function drawMark(ctx, { kind, side, price }, x, y, c, dpr) {
  const size = 6 * dpr, away = side === "SELL" ? -1 : 1, colour = side === "SELL" ? c.sell : c.buy;
  ctx.save();
  ctx.lineWidth = 1.6 * dpr;
  ctx.lineJoin = "round";
  ctx.beginPath();
  if (kind === "sent" || kind === "suppressed") {
    ctx.moveTo(x, y + away * 2 * dpr);
    ctx.lineTo(x - size, y + away * (2 * dpr + size * 1.6));
    ctx.lineTo(x + size, y + away * (2 * dpr + size * 1.6));
    ctx.closePath();
    ctx.fillStyle = kind === "sent" ? colour : c.card;
    ctx.strokeStyle = kind === "sent" ? c.card : colour;
    // An edge in the page's colour keeps a filled mark apart from the candle.
    if (kind === "sent") { ctx.stroke(); ctx.fill(); } else { ctx.fill(); ctx.stroke(); }
  } else if (kind === "paper") {
    const r = size * 0.85;
    ctx.moveTo(x, y - r); ctx.lineTo(x + r, y); ctx.lineTo(x, y + r); ctx.lineTo(x - r, y); ctx.closePath();
    ctx.strokeStyle = c.card; ctx.stroke();
    // Waiting for its entry's price: hollow.
    ctx.fillStyle = Number.isFinite(price) ? c.paper : c.card; ctx.fill();
    ctx.strokeStyle = c.paper; ctx.stroke();
  } else {
    ctx.font = `bold ${17 * dpr}px system-ui, sans-serif`;
    ctx.textAlign = "center"; ctx.textBaseline = "middle";
    ctx.strokeStyle = c.card; ctx.lineWidth = 4 * dpr; ctx.fillStyle = c.bad;
    const text = kind === "unknown" ? "?" : "×", at = y + away * 12 * dpr;
    ctx.strokeText(text, x, at); ctx.fillText(text, x, at);
  }
  ctx.restore();
}
