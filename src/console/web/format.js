// Numbers and times as text. Every time names its zone; `?` is what Sentinel does not know, and never 0.

const MINUS = "−";
const pad = (number) => String(number).padStart(2, "0");

/** "utc" or "local". */
export const zone = { kind: "utc" };

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

/** 14:03:58 UTC */
export function clock(ms) {
  if (!isTime(ms)) return "?";
  const [, , , h, m, s] = parts(ms);
  return `${pad(h)}:${pad(m)}:${pad(s)} ${zoneName(ms)}`;
}

/** 28 Nov 14:03 UTC; with the year if it is not that of `now`. */
export function moment(ms, now = Date.now()) {
  if (!isTime(ms)) return "?";
  const [y, mo, d, h, m] = parts(ms), year = y === parts(now)[0] ? "" : ` ${y}`;
  return `${d} ${MONTHS[mo]}${year} ${pad(h)}:${pad(m)} ${zoneName(ms)}`;
}

/** 28 Nov, or 14:00 within a day: for an axis, which names the zone once. */
export function tick(ms, previous) {
  const [y, mo, d, h, m] = parts(ms), before = previous === undefined ? [] : parts(previous);
  if (before[2] === d && before[1] === mo && before[0] === y) return `${pad(h)}:${pad(m)}`;
  return `${d} ${MONTHS[mo]}`;
}

const isTime = (ms) => Number.isFinite(ms);

/** 45 s, 3 min 5 s, 2 h 10 min, 3 d 4 h */
export function age(ms) {
  if (!isTime(ms)) return "?";
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

/** How long something took: 420 ms, 1.5 s. */
export function took(ms) {
  if (!Number.isFinite(ms)) return "?";
  return ms < 1 ? "under 1 ms" : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
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
