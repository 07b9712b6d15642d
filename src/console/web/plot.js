// Loads uPlot once, and draws the plots that are lines or columns over time. Colours come from the stylesheet, fonts too.

import { el } from "./parts.js";
import * as f from "./parts.js";

let loading = null;

function load() {
  loading ??= new Promise((done, fail) => {
    const script = el("script", { src: new URL("vendor/uPlot.iife.min.js", import.meta.url).href });
    script.addEventListener("load", () => done(globalThis.uPlot));
    script.addEventListener("error", () => { loading = null; fail(new Error("the plots could not be loaded; if Sentinel was updated, reload the page")); });
    document.head.append(script);
  });
  return loading;
}

/** uPlot, a classic script: its small build has no module. If it does not come, that stands in `host`; who draws tries again. */
export async function uPlot(host) {
  try {
    return await load();
  } catch (error) {
    host.replaceChildren(el("p.trouble", { role: "status" }, error.message));
    throw error;
  }
}

// At once: only views that draw need this module.
load().catch(() => {});

/** The stylesheet's colours of this moment. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return { ink: of("ink"), soft: of("soft"), grid: of("grid"), card: of("card"), buy: of("c1"), sell: of("c3"), paper: of("c2"),
    good: of("good"), bad: of("bad"), gap: of("gap") };
}

export const FONT = '12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';

/** An axis in the page's colours. */
export const axis = (c, more) => ({ stroke: c.soft, font: FONT, grid: { stroke: c.grid, width: 1 }, ticks: { stroke: c.grid, width: 1, size: 5 }, ...more });

/** Keeps a plot as wide as its host, and makes it once. */
export class Kept {
  constructor() {
    this.plots = new Map();
    this.observer = new ResizeObserver((entries) => {
      for (const { target, contentRect } of entries) {
        const plot = this.plots.get(target.dataset.keep)?.plot, width = Math.floor(contentRect.width);
        if (plot && width > 0 && width !== plot.width) plot.setSize({ width, height: plot.height });
      }
    });
  }

  /** Draws into the element with this data-keep, again only if `of`, which is what it shows, or the page's look is another. */
  async draw(name, of, make) {
    const host = document.querySelector(`[data-keep="${name}"]`);
    if (!host) return;
    const key = JSON.stringify([of, f.zone.kind, document.documentElement.dataset.theme, matchMedia("(prefers-color-scheme: dark)").matches]);
    const kept = this.plots.get(name);
    if (kept?.host === host && kept.key === key) return;
    const entry = { host, key, plot: null };
    this.plots.set(name, entry);
    try {
      const Plot = await uPlot(host);
      if (this.plots.get(name) !== entry) return;
      kept?.plot?.destroy();
      host.replaceChildren();
      entry.plot = make(Plot, host, Math.floor(host.clientWidth));
      this.observer.observe(host);
    } catch (error) {
      // Not drawn: the next update tries again.
      if (this.plots.get(name) === entry) this.plots.delete(name);
      throw error;
    }
  }

  clear() {
    for (const { plot } of this.plots.values()) plot?.destroy();
    this.plots.clear();
    this.observer.disconnect();
  }
}

/** A host that the update of the page leaves alone. */
export const host = (name, label) => el("div.plot", { "data-keep": name, role: "img", "aria-label": label });

/** The dates that uPlot shows are those of the page's zone. */
export const zoned = (Plot) => (f.zone.kind === "utc" ? { tzDate: (s) => Plot.tzDate(new Date(s * 1000), "Etc/UTC") } : {});

/** Lines over time: `series` are {name, colour, dash, points: [[ms, value]]}, `range(u, least, most)` is that of the y axis. */
export function lines(Plot, target, width, { series, height = 200, range }) {
  const c = colours();
  const tables = series.map(({ points }) => [points.map(([ms]) => ms / 1000), points.map(([, value]) => value)]);
  const data = Plot.join(tables, tables.map((table) => table.slice(1).map(() => 2)));
  // A value holds until the next one of the same ledger, and the last one no longer: nobody knows what came after it.
  const held = data.map((column, at) => (at === 0 ? column : hold(column)));
  return new Plot({
    width, height, legend: { show: false }, ...zoned(Plot), cursor: { y: false, points: { size: 6 } }, scales: { y: { range } },
    axes: [axis(c, { space: 70, values: (u, ticks) => ticks.map((s, at) => f.tick(s * 1000, at ? ticks[at - 1] * 1000 : undefined)) }),
      axis(c, { size: 62, values: numbers })],
    series: [{}, ...series.map(({ name, colour, dash }) => ({ label: name, stroke: c[colour], width: 1.8, dash, paths: Plot.paths.stepped({ align: 1 }), points: { show: false } }))],
  }, held, target);
}

function hold(column) {
  const end = column.findLastIndex(Number.isFinite);
  let last = null;
  return column.map((value, at) => (at > end ? null : (last = value ?? last)));
}

/** The numbers of an axis, with as many decimals as its steps need. */
function numbers(u, ticks) {
  const step = Math.abs(ticks[1] - ticks[0]);
  let decimals = 0;
  while (decimals < 6 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals += 1;
  return ticks.map((value) => f.fixed(value, decimals));
}

/** Columns: `groups` are the names under them, `series` {name, colour, values}, side by side. */
export function columns(Plot, target, width, { groups, series, height = 190 }) {
  const c = colours(), share = 0.8 / series.length;
  const at = groups.map((_, index) => index);
  const draw = (u) => {
    const { ctx } = u, zero = u.valToPos(0, "y", true), slot = Math.abs(u.valToPos(1, "x", true) - u.valToPos(0, "x", true));
    ctx.save();
    series.forEach(({ colour, values }, which) => values.forEach((value, index) => {
      if (!Number.isFinite(value)) return;
      const x = u.valToPos(index, "x", true) + slot * (which * share - 0.4), y = u.valToPos(value, "y", true), w = Math.max(1, slot * share - 1);
      ctx.fillStyle = ctx.strokeStyle = c[colour];
      // The second ledger is an outline: colour alone tells nothing.
      if (which === 0) ctx.fillRect(x, Math.min(y, zero), w, Math.max(1, Math.abs(y - zero)));
      else { ctx.lineWidth = 1.5; ctx.strokeRect(x + 1, Math.min(y, zero), Math.max(1, w - 2), Math.max(1, Math.abs(y - zero))); }
    }));
    ctx.strokeStyle = c.soft;
    ctx.beginPath(); ctx.moveTo(u.bbox.left, zero); ctx.lineTo(u.bbox.left + u.bbox.width, zero); ctx.stroke();
    ctx.restore();
  };
  const least = (u, min, max) => { const room = (Math.max(max, 0) - Math.min(min, 0)) * 0.08 || 1; return [min < 0 ? min - room : 0, max > 0 ? max + room : 0]; };
  return new Plot({
    width, height, legend: { show: false }, cursor: { show: false },
    scales: { x: { time: false, range: () => [-0.6, groups.length - 0.4] }, y: { range: least } },
    axes: [axis(c, { grid: { show: false }, splits: () => at, values: (u, ticks) => thin(ticks, groups, u.width) }),
      axis(c, { size: 58, values: numbers })],
    series: [{}, ...series.map(({ name }) => ({ label: name, paths: () => null, points: { show: false } }))],
    hooks: { draw: [draw] },
  }, [at, ...series.map(({ values }) => values)], target);
}

/** As many names as there is room for. */
function thin(ticks, names, width) {
  const every = Math.max(1, Math.ceil((names.length * 52) / Math.max(1, width - 70)));
  return ticks.map((at) => (at % every === 0 ? names[at] : ""));
}
