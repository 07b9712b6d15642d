// The candles and the odds under them: two plots with one cursor and one range. Drawn by hand in uPlot's `draw` hook, because it
// has no candles of its own. The x axis counts bars, so a weekend takes no room; a gap takes a hatched one.

import { axis, colours } from "./plot.js";
import * as f from "./parts.js";
import { drawMark, glyphs } from "./marks.js";
import { zoomable } from "./zoom.js";

const RIGHT = 66, BAR_PX = 7, SHOWN_LEAST = 40, AHEAD = 3;

/** Bars, gaps and odds as places on the axis: {bar, odds, isGap, isBreak}. `bars` are the oldest first. */
export function places(bars, gaps, odds, intervalS) {
  const byBar = new Map(odds.map((row) => [row.bar_close_s, row]));
  const after = new Map(gaps.map((gap) => [gap.from_s, gap]));
  const list = [];
  bars.forEach((bar, at) => {
    const gap = after.get(bar.at), previous = bars[at - 1];
    const isBreak = previous !== undefined && bar.at - previous.at > intervalS * 1.5 && !after.has(previous.at);
    list.push({ bar, odds: byBar.get(bar.at) ?? null, isGap: false, isBreak });
    if (gap && at < bars.length - 1) list.push({ bar: null, odds: null, isGap: true, isBreak: false, missing: gap.missing, at: gap.from_s });
  });
  return list;
}

/** Two plots in their hosts. `onCursor(index or null)` is told which bar is looked at. */
export class Candles {
  constructor(Plot, hosts, { digits, onCursor }) {
    this.Plot = Plot;
    this.hosts = hosts;
    this.digits = digits;
    this.onCursor = onCursor;
    this.list = [];
    this.positions = [];
    this.plots = [];
    this.range = null;
    this.resize = new ResizeObserver(() => this.fit());
    hosts.forEach((host) => this.resize.observe(host));
  }

  destroy() {
    this.resize.disconnect();
    this.plots.forEach((plot) => plot.destroy());
    this.plots = [];
  }

  /** New content. The range stays, and follows the newest bar if that was in it. */
  set(list, positions) {
    const isFirst = !this.plots.length, wasAtEnd = this.range && this.range[1] >= this.list.length - 1;
    const grown = list.length - this.list.length, at = this.plots[0]?.cursor.idx, pointed = this.plots[0]?.cursor.left >= 0 ? this.list[at]?.bar?.at : undefined;
    this.list = list;
    this.positions = positions;
    if (isFirst) {
      this.range = this.newest();
      return this.build();
    }
    if (wasAtEnd && grown > 0) this.range = this.range.map((edge) => edge + grown);
    const columns = this.columns();
    this.plots.forEach((plot, which) => plot.setData(columns[which], false));
    this.show(this.range);
    // The cursor stays on its bar, not on its place on the screen.
    if (pointed !== undefined) this.cursor(this.list.findIndex(({ bar }) => bar?.at === pointed));
  }

  /** The newest bars, as many as can be read. */
  newest() {
    const count = Math.max(SHOWN_LEAST, Math.floor((this.hosts[0].clientWidth - RIGHT) / BAR_PX));
    return this.clamp([this.list.length - count, this.list.length - 1 + AHEAD]);
  }

  all() {
    return [-1, this.list.length - 1 + AHEAD];
  }

  clamp([from, until]) {
    const [least, most] = this.all(), width = Math.min(Math.max(until - from, 12), most - least);
    const start = Math.min(Math.max(from, least), most - width);
    return [start, start + width];
  }

  show(range) {
    this.range = this.clamp(range);
    const [min, max] = this.range;
    this.plots.forEach((plot) => plot.batch(() => plot.setScale("x", { min, max })));
  }

  /** Around the middle, or around a place of the axis. */
  zoom(factor, around = (this.range[0] + this.range[1]) / 2) {
    this.show(this.range.map((edge) => around + (edge - around) * factor));
  }

  pan(bars) {
    this.show(this.range.map((edge) => edge + bars));
  }

  /** Puts the cursor on a bar, and brings it into view. */
  point(index) {
    if (index < this.range[0] || index > this.range[1]) this.pan(index - (this.range[0] + this.range[1]) / 2);
    this.cursor(index);
  }

  /** On both plots: uPlot passes on only what the mouse does. */
  cursor(index) {
    const bar = this.list[index]?.bar;
    for (const plot of this.plots) plot.setCursor({ left: bar ? plot.valToPos(index, "x") : -10, top: bar ? 10 : -10 });
  }

  fit() {
    this.plots.forEach((plot, at) => {
      const width = Math.floor(this.hosts[at].clientWidth);
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: plot.height });
    });
  }

  columns() {
    const { list } = this, x = list.map((_, at) => at);
    const odd = (name) => list.map(({ odds }) => odds?.[name] ?? null);
    return [
      [x, list.map(({ bar }) => bar?.low ?? null), list.map(({ bar }) => bar?.high ?? null)],
      [x, odd("p_sell"), odd("p_hold"), odd("p_buy"), odd("threshold")],
    ];
  }

  build() {
    const { Plot } = this, c = colours(), columns = this.columns();
    const cursor = { sync: { key: "symbol", scales: ["x", null] }, y: false, points: { show: false }, drag: { x: false, y: false } };
    const x = { time: false, range: () => this.range };
    const names = (u, ticks) => ticks.map((at, which) => {
      const time = this.timeAt(at), before = which ? this.timeAt(ticks[which - 1]) : undefined;
      return time === undefined || u.valToPos(at, "x") < 16 ? "" : f.tick(time, before);
    });
    const time = axis(c, { space: 64, size: 28, incrs: [1, 2, 3, 4, 6, 12, 24, 48, 72, 120, 240, 480, 960], values: names, grid: { show: false } });
    const hidden = { paths: () => null, points: { show: false } };
    const line = (colour, dash, width = 1.6) => ({ stroke: c[colour], dash, width, points: { show: false }, spanGaps: false });
    const width = (host) => Math.floor(host.clientWidth), phone = this.hosts[0].clientWidth < 600;
    const told = (u) => { const { idx } = u.cursor; this.onCursor(idx !== null && this.list[idx]?.bar ? idx : null); };
    const price = new Plot({
      width: width(this.hosts[0]), height: phone ? 270 : 380, padding: [10, 0, 0, 0], legend: { show: false }, cursor,
      scales: { x, y: { range: (u, min, max) => this.room(min, max) } },
      axes: [{ ...time, size: 6, values: () => [], ticks: { show: false } }, axis(c, { side: 1, size: RIGHT, values: (u, ticks) => ticks.map((value) => f.fixed(value, this.digits)) })],
      series: [{}, hidden, hidden],
      hooks: { drawClear: [(u) => this.drawGaps(u, c)], draw: [(u) => this.drawPrice(u, c)], setCursor: [told] },
    }, columns[0], this.hosts[0]);
    const odds = new Plot({
      width: width(this.hosts[1]), height: phone ? 150 : 180, padding: [8, 0, 0, 0], legend: { show: false }, cursor,
      scales: { x, y: { range: () => [0, 1] } },
      axes: [time, axis(c, { side: 1, size: RIGHT, splits: () => [0, 0.25, 0.5, 0.75, 1], values: (u, ticks) => ticks.map((value) => f.fixed(value, 2)) })],
      series: [{}, line("sell", [6, 3]), line("soft", [2, 3], 1.2), line("buy"), { ...line("ink", [8, 4], 1.2), paths: Plot.paths.stepped({ align: 1 }) }],
      hooks: { drawClear: [(u) => this.drawGaps(u, c)] },
    }, columns[1], this.hosts[1]);
    this.plots = [price, odds];
    for (const plot of this.plots) zoomable(plot, this);
    this.show(this.range);
  }

  timeAt(index) {
    const at = Math.round(index), place = this.list[at];
    return place?.bar ? place.bar.at * 1000 : place ? place.at * 1000 : undefined;
  }

  /** Prices in view, and the lines of positions that are near them. */
  room(min, max) {
    if (min === null || max === null || !Number.isFinite(min)) return [0, 1];
    let [low, high] = [min, max];
    const reach = (max - min) * 0.6 || max * 0.001;
    for (const { price } of this.lines()) if (price > min - reach && price < max + reach) [low, high] = [Math.min(low, price), Math.max(high, price)];
    const room = (high - low) * 0.06 || high * 0.0005;
    return [low - room, high + room];
  }

  lines() {
    const of = (p) => [["in", p.open_price], ["SL", p.stop_loss], ["TP", p.take_profit]].map(([name, price]) => ({ name, price, ledger: p.ledger, from: p.opened_ms }));
    return this.positions.flatMap(of).filter(({ price }) => Number.isFinite(price) && price > 0);
  }

  drawGaps(u, c) {
    const { ctx, bbox } = u;
    const [first, last] = this.visible();
    for (let at = first; at <= last; at++) {
      const place = this.list[at];
      if (place.isGap) hatch(ctx, u.valToPos(at - 0.5, "x", true), u.valToPos(at + 0.5, "x", true), bbox, c.soft);
      else if (place.isBreak) {
        const x = Math.round(u.valToPos(at - 0.5, "x", true)) + 0.5;
        ctx.save();
        ctx.strokeStyle = c.grid; ctx.setLineDash([2, 3]);
        ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
        ctx.restore();
      }
    }
  }

  visible() {
    return [Math.max(0, Math.ceil(this.range[0] - 0.5)), Math.min(this.list.length - 1, Math.floor(this.range[1] + 0.5))];
  }

  drawPrice(u, c) {
    const { ctx, bbox } = u, [first, last] = this.visible(), dpr = devicePixelRatio || 1;
    const slot = Math.abs(u.valToPos(1, "x", true) - u.valToPos(0, "x", true));
    const body = Math.max(1, Math.floor(slot * 0.7)), y = (price) => u.valToPos(price, "y", true);
    ctx.save();
    ctx.beginPath(); ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height); ctx.clip();
    ctx.lineWidth = Math.max(1, Math.min(dpr, slot / 3));
    let drawn = 0, gaps = 0;
    for (let at = first; at <= last; at++) {
      const { bar, isGap } = this.list[at];
      gaps += isGap ? 1 : 0;
      if (!bar) continue;
      drawn++;
      const x = u.valToPos(at, "x", true), isUp = bar.close >= bar.open;
      const top = y(Math.max(bar.open, bar.close)), bottom = y(Math.min(bar.open, bar.close));
      ctx.strokeStyle = ctx.fillStyle = isUp ? c.good : c.bad;
      ctx.beginPath();
      ctx.moveTo(x, y(bar.high)); ctx.lineTo(x, top); ctx.moveTo(x, bottom); ctx.lineTo(x, y(bar.low));
      ctx.stroke();
      // Up is hollow and down is filled, so that the direction is seen without colour.
      if (isUp && body > 3) ctx.strokeRect(x - body / 2, top, body, Math.max(1, bottom - top));
      else ctx.fillRect(x - body / 2, top, body, Math.max(1, bottom - top));
    }
    this.drawLines(u, c, y);
    const counts = { sent: 0, suppressed: 0, unknown: 0, refused: 0, paper: 0 };
    for (let at = first; at <= last; at++) {
      const { bar, odds } = this.list[at];
      if (!bar || !odds) continue;
      for (const glyph of glyphs(odds)) {
        counts[glyph.kind]++;
        // A paper order enters at the open of the next bar.
        drawMark(ctx, glyph, u.valToPos(at + (glyph.kind === "paper" ? 0.5 : 0), "x", true), y(glyph.price ?? bar.close), c, dpr);
      }
    }
    ctx.restore();
    Object.assign(this.hosts[0].dataset, { ...counts, bars: drawn, gaps });
  }

  drawLines(u, c, y) {
    const { ctx, bbox } = u, dpr = devicePixelRatio || 1;
    ctx.font = `${11 * dpr}px system-ui, sans-serif`;
    ctx.textBaseline = "bottom";
    for (const { name, price, ledger } of this.lines()) {
      const at = y(price), isIn = at >= bbox.top && at <= bbox.top + bbox.height;
      const edge = Math.min(Math.max(at, bbox.top + 14 * dpr), bbox.top + bbox.height - 2);
      ctx.strokeStyle = ctx.fillStyle = name === "SL" ? c.bad : name === "TP" ? c.good : c.ink;
      ctx.setLineDash(ledger === "paper" ? [2 * dpr, 4 * dpr] : [7 * dpr, 4 * dpr]);
      ctx.lineWidth = dpr;
      if (isIn) { ctx.beginPath(); ctx.moveTo(bbox.left, at); ctx.lineTo(bbox.left + bbox.width, at); ctx.stroke(); }
      const isPaper = ledger === "paper", label = `${isPaper ? "◆ " : ""}${name} ${f.fixed(price, this.digits)}${isIn ? "" : at < bbox.top ? " ↑" : " ↓"}`;
      ctx.fillText(label, bbox.left + (isPaper ? 104 : 4) * dpr, edge);
    }
    ctx.setLineDash([]);
  }
}

function hatch(ctx, from, until, bbox, colour) {
  const left = Math.max(from, bbox.left), right = Math.min(until, bbox.left + bbox.width), step = 7;
  if (right <= left) return;
  ctx.save();
  ctx.beginPath(); ctx.rect(left, bbox.top, right - left, bbox.height); ctx.clip();
  ctx.strokeStyle = colour; ctx.globalAlpha = 0.55; ctx.lineWidth = 1;
  ctx.beginPath();
  for (let x = left - bbox.height; x < right; x += step) { ctx.moveTo(x, bbox.top + bbox.height); ctx.lineTo(x + bbox.height, bbox.top); }
  ctx.stroke();
  ctx.restore();
}
