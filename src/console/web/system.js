// What the daemon itself is like: how long each stage takes, what has failed, and its last warnings.

import * as f from "./parts.js";
import { ago, el, section, state, table, tiles } from "./parts.js";

export async function load({ get }) {
  const [system, stages] = await Promise.all([get("system"), get("stages")]);
  return { system, stages };
}

const STAGES = { fetch: "Fetch bars", features: "Build features", predict: "Ask the model", send: "Send orders", gateway: "One question to the gateway", cycle: "The whole cycle" };

export function render({ data, now }) {
  const checks = section("Checks, as /health has them", table([["Check", "name"], ["", "mark"], ["", "long"]], now.health.checks.map(({ name, status, detail }) =>
    [name, state({ ok: "good", degraded: "warn", fail: "bad" }[status] ?? "soft", status), detail]), "None."));
  if (!data) return checks;
  const { system: s, stages } = data;
  const rows = stages.rows.map((it) => [STAGES[it.stage] ?? it.stage, f.took(it.p50_ms), f.took(it.p95_ms), it.count,
    it.last_outcome === null ? "" : state(it.last_outcome === "ok" ? "good" : it.last_outcome === "none yet" ? "soft" : "bad", it.last_outcome),
    it.last_success_ms === null ? "" : [ago(it.last_success_ms), " ago"]]);
  const file = (it) => (it ? [f.bytes(it.bytes), el("small.path", null, it.path), it.is_writable === false ? state("bad", "cannot be written") : null] : "off");
  return [
    tiles([["Version", s.build.version, `${s.build.revision}, rustc ${s.build.rustc}`], ["Up", f.age(s.uptime_s * 1000), `since ${f.moment(now.daemon.started_ms, now.now_ms)}`],
      ["Settings", el("code", null, s.config_hash), "sentinel_config_hash"], ["Memory", f.bytes(s.memory_bytes), `${s.open_files ?? "?"} open files`],
      ["Market data calls", s.quota?.calls ?? "?", s.quota ? `${s.quota.failed} failed, since ${f.moment(s.quota.since_ms, now.now_ms)}` : "not counted"]]),
    section("Stages", table([["Stage", "name"], ["Half took", "n"], ["95 % took", "n"], ["Times", "n"], ["Last", "mark"], ["Last success", "mark"]], rows, "Nothing was timed yet."),
      el("p.soft", null, `At most so long, since ${f.moment(stages.since_ms, now.now_ms)}.`)),
    checks,
    section("Breakers and actors", el("p.chips", null,
      s.breakers.map((it) => el("span.chip", null, `${it.name} `, state({ closed: "good", open: "bad", half_open: "warn" }[it.state] ?? "soft", { closed: "calls go through", open: "open: not called", half_open: "trying again" }[it.state] ?? it.state))),
      s.actors.map((it) => el("span.chip", null, `${it.name} `, state(it.is_up ? "good" : "bad", it.is_up ? "up" : "down"), it.restarts ? ` ${it.restarts} restarts` : null)))),
    section("Files", tiles([["Journal", file(s.journal)], ["Bar archive", file(s.archive)]])),
    section(`Warnings, the last ${s.warnings.length}`, table([["When", "mark"], ["Level", "mark"], ["", "long"]], s.warnings.map((it) =>
      [f.moment(it.at_ms, now.now_ms), state(it.level === "ERROR" ? "bad" : "warn", it.level), it.text]), "None since the start.")),
  ];
}
