// How the model's odds are distributed, how often they were right, and how far they have drifted from its training.

import * as f from "./parts.js";
import { el, section, state, table, tiles } from "./parts.js";
import { columns, host, Kept } from "./plot.js";

const plots = new Kept();
const DRIFTED = 0.25, DRIFTING = 0.1;

export const load = async ({ get }) => ({ model: await get("model") });

export function render({ data, now }) {
  const m = data?.model;
  if (!m) return el("p.soft", null, "Reading what is known of the model…");
  return [
    tiles([["Model", m.name, `at ${m.address}; the server does not say which version`], ["First odds", m.since_ms === null ? "?" : f.moment(m.since_ms, now.now_ms), m.since_ms === null ? "no odds yet" : "under this name, as far as the journal goes back"], ["Trained until", m.trained_until ?? "?", m.trained_until ? null : "model.trained_until is not set"], ["Drift", drift(m.drift), driftNote(m.drift)], ["Threshold", thresholds(m.thresholds)]]),
    section("Was it right?", outcomes(m)),
    section("How sure it is", el("p.soft", null, "The highest of the three odds, one for each symbol and bar, the newest 500."), m.histogram
      ? [host("histogram", histogramText(m.histogram)), el("p.legend", null, el("span.key.column.buy", null, "now"), m.histogram.reference && el("span.key.outline.sell", null, "when it was trained"))]
      : el("p.soft", null, "No odds yet.")),
    section("Whether the odds mean what they say", el("p.soft", null, "Of the bars on which the model gave these odds, in how many it came true. Odds that mean what they say have both columns alike."), calibration(m)),
  ];
}

function drift({ psi, has_reference: has }) {
  if (!has || psi === null) return state("soft", "?");
  return psi >= DRIFTED ? state("bad", f.fixed(psi, 3)) : psi >= DRIFTING ? state("warn", f.fixed(psi, 3)) : state("good", f.fixed(psi, 3));
}

const driftNote = ({ has_reference: has, observations }) => (has ? `PSI of the last ${observations}; above ${DRIFTED} it has changed` : "model.confidence_reference is not set");

function thresholds(list) {
  const all = new Set(list.map((it) => it.threshold));
  return all.size === 1 ? f.plain([...all][0]) : list.map((it) => `${it.symbol} ${f.plain(it.threshold)}`).join(", ");
}

function outcomes({ outcomes: o, horizon_bars: horizon }) {
  if (!o || !o.count) return el("p.soft", null, `Nothing to judge yet: an outcome is known ${horizon} bars after its bar.`);
  return tiles([["Right", f.percent(o.right), `of ${o.count} bars, ${horizon} bars later`],
    ["Right when it signalled", o.signals ? f.percent(o.signals_right) : "?", `of ${o.signals} above the threshold`],
    ["Mean gain of a signal", o.signals && o.mean_points !== null ? f.sum(o.mean_points, "points") : "?", "before costs"]]);
}

const histogramText = ({ bounds, shares }) => shares.map((share, at) => `up to ${f.plain(bounds[at])}: ${f.percent(share, 0)}`).join(", ");

function calibration({ calibration: all }) {
  const known = all.filter(({ bins }) => bins.length);
  if (!known.length) return el("p.soft", null, "No outcome yet.");
  return known.map(({ action, bins }) => [
    el("h3", null, action),
    table([["Odds", "mark"], ["Bars", "n"], ["Odds, mean", "n"], ["Came true", "n"], ["", "wide"]], bins.map((bin) =>
      [`${f.fixed(bin.from, 1)} to ${f.fixed(bin.to, 1)}`, bin.count, f.percent(bin.mean), f.percent(bin.right), twin(bin)]), ""),
  ]);
}

/** Both shares as columns that lie: filled is what was said, outlined what came. */
function twin({ mean, right }) {
  return el("svg.twin", { viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" },
    el("rect.buy", { x: 0, y: 1, width: mean * 100, height: 5 }), el("rect.came", { x: 0, y: 8, width: right * 100, height: 5 }));
}

export function drawn({ data }) {
  const h = data?.model?.histogram;
  if (!h) return null;
  const series = [{ name: "now", colour: "buy", values: h.shares }];
  if (h.reference) series.push({ name: "trained", colour: "sell", values: h.reference });
  return plots.draw("histogram", h, (Plot, target, width) => columns(Plot, target, width, { groups: h.bounds.map((bound) => `≤ ${f.plain(bound)}`), series }));
}

export const leave = () => plots.clear();
