// The view "Operation": the dashboard's panels in brief, drawn from the same metrics, and the ledger.
//
// Holds the last POINTS_MAX readings of /metrics, parsed into sums; nothing in them is from a payload.
"use strict";

const READ_MS = 2000;
const POINTS_MAX = 60;
/** Width of a chart in readings until there are more. */
const POINTS_SHOWN_MIN = 10;
const CHART = { width: 260, height: 64 };

/** Name, unit and what is read of two readings, oldest first; null where there is nothing to show. */
const PANELS = [
  ["Requests", "per second", (was, is) => rate(was, is, "tamis_request_seconds_count")],
  ["Answered 5xx", "share", (was, is) => share(was, is, "tamis_request_seconds_count", (labels) => labels.code_class === "5xx")],
  ["Mean time to answer", "ms", (was, is) => mean(was, is, "tamis_request_seconds")],
  ["Upstreams", "ms to their answer", (was, is) => mean(was, is, "tamis_upstream_seconds")],
  ["Items", "per second", (was, is) => rate(was, is, "tamis_items_total")],
  ["Redactions", "per second", (was, is) => rate(was, is, "tamis_redactions_total", (labels) => labels.action !== "keep")],
  ["Dropped, rejected", "items per second", (was, is) =>
    rate(was, is, "tamis_items_total", (labels) => ["dropped", "rejected", "expired"].includes(labels.outcome))],
  ["Upstream fails", "share", (was, is) =>
    share(was, is, "tamis_upstream_requests_total", (labels) => ["5xx", "error"].includes(labels.code_class))],
  ["Scanned", "MB per second", (was, is) => scaled(rate(was, is, "tamis_scan_bytes_total"), 1e-6)],
  ["Payload memory", "share of the limit", (_, is) => ratio(is, "tamis_memory_held_bytes", "tamis_memory_max_bytes")],
  ["Connections", "open", (_, is) => sum(is, "tamis_connections_open")],
  ["Threads busy", "share", (was, is) => scaled(rate(was, is, "tamis_runtime_busy_seconds_total"), 1 / (sum(is, "tamis_runtime_workers") || 1))],
  ["Memory of the process", "MB", (_, is) => scaled(sum(is, "process_resident_memory_bytes"), 1e-6)],
  ["Spool", "share of its bound", (_, is) => ratio(is, "tamis_spool_size_bytes", "tamis_spool_max_bytes")],
  ["Oldest in the spool", "s", (_, is) => (sum(is, "tamis_spool_max_bytes") ? sum(is, "tamis_spool_oldest_item_age_seconds") : null)],
];

const operate = { readings: [], started: null };

// ---- metrics ---------------------------------------------------------------------------------------

/** The text exposition format as a map from names to samples. */
function parseMetrics(text) {
  const families = new Map();
  for (const line of text.split("\n")) {
    const found = /^([a-zA-Z_:]\w*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, name, value] of (found[2] || "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name] = value;
    if (!families.has(found[1])) families.set(found[1], []);
    families.get(found[1]).push({ labels, value: Number(found[3]) });
  }
  return families;
}

const any = () => true;
const scaled = (value, factor) => (value === null ? null : value * factor);

/** The sum over all label sets that `fits`; null where the metric is not there. */
function sum(reading, name, fits = any) {
  const samples = reading.metrics.get(name);
  if (!samples) return null;
  return samples.filter((one) => fits(one.labels)).reduce((total, one) => total + one.value, 0);
}

function growth(was, is, name, fits = any) {
  const now = sum(is, name, fits);
  if (now === null) return null;
  return Math.max(0, now - (sum(was, name, fits) ?? 0));
}

const rate = (was, is, name, fits) => scaled(growth(was, is, name, fits), 1000 / (is.time - was.time));

function share(was, is, name, fits) {
  const all = growth(was, is, name);
  return all === null ? null : all === 0 ? 0 : growth(was, is, name, fits) / all;
}

function mean(was, is, name) {
  const count = growth(was, is, `${name}_count`);
  return count === null ? null : count === 0 ? 0 : (1000 * growth(was, is, `${name}_sum`)) / count;
}

function ratio(is, part, whole) {
  const [of, all] = [sum(is, part), sum(is, whole)];
  return of === null || !all ? null : of / all;
}

// ---- charts ----------------------------------------------------------------------------------------

function shown(value) {
  if (value === 0) return "0";
  return value >= 100 ? Math.round(value).toLocaleString() : value.toPrecision(2);
}

function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function line(values) {
  const top = Math.max(...values, 1e-9);
  const step = CHART.width / Math.max(values.length - 1, POINTS_SHOWN_MIN);
  const place = (value, at) =>
    `${(CHART.width - (values.length - 1 - at) * step).toFixed(1)},${(CHART.height - 2 - (value / top) * (CHART.height - 6)).toFixed(1)}`;
  return values.map(place).join(" ");
}

function chart([name, unit, read]) {
  const values = [];
  for (let at = 1; at < operate.readings.length; at += 1) {
    const value = read(operate.readings[at - 1], operate.readings[at]);
    if (value !== null) values.push(value);
  }
  if (values.length === 0) return null;
  const made = element("figure", "chart");
  const caption = element("figcaption");
  caption.append(element("span", "", name), element("strong", "", shown(values.at(-1))), element("span", "muted", unit));
  const picture = svg("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, "aria-hidden": "true", focusable: "false" });
  const points = line(values);
  const [from, to] = [points.split(",", 1)[0], points.split(" ").at(-1).split(",", 1)[0]];
  picture.append(
    svg("path", { d: `M${from},${CHART.height}L${points.replaceAll(" ", "L")}L${to},${CHART.height}Z`, class: "area" }),
    svg("polyline", { points, class: "curve" }));
  made.append(caption, picture);
  return made;
}

// ---- ledger ----------------------------------------------------------------------------------------

function cells(values) {
  const made = element("tr");
  made.append(...values.map((value) => element("td", "", typeof value === "number" ? value.toLocaleString() : value)));
  return made;
}

function showLedger(ledger) {
  const balance = ledger.unaccounted === 0 ? "every item is accounted for" : `${ledger.unaccounted} being counted`;
  byId("ledger-sum").textContent =
    `${ledger.received.toLocaleString()} received, ${ledger.in_flight.toLocaleString()} in flight, ${ledger.in_spool.toLocaleString()} in the spool: ${balance}`;
  const lines = ledger.lines.filter((one) => one.items > 0).sort((a, b) => b.items - a.items);
  byId("ledger").replaceChildren(...lines.map((one) => cells([one.route, one.protocol, one.outcome, one.reason, one.items])));
  const upstream = (name) => page.status?.routes.find((route) => route.name === name)?.upstream ?? "-";
  byId("upstreams").replaceChildren(
    ...ledger.upstream.map((one) => cells([one.route, upstream(one.route), one.code_class, one.requests])));
}

// ---- reading ---------------------------------------------------------------------------------------

/** Reads while the page is looked at, whichever view is shown, so that the charts have a past. */
async function read() {
  const metrics = parseMetrics(await fetchText("/metrics"));
  const started = metrics.get("tamis_start_time_seconds")?.[0].value ?? null;
  if (started !== operate.started) operate.readings = [];
  operate.started = started;
  operate.readings.push({ time: performance.now(), metrics });
  while (operate.readings.length > POINTS_MAX) operate.readings.shift();
  if (byId("view-operate").hidden) return;
  byId("charts").replaceChildren(...PANELS.map(chart).filter((made) => made !== null));
  showLedger(JSON.parse(await fetchText("/api/v1/ledger")));
}

async function readOn() {
  if (!document.hidden) {
    try {
      await read();
    } catch {
      // The inbox's poll says that nothing answers.
    }
  }
  setTimeout(readOn, READ_MS);
}

byId("tab-operate").addEventListener("chosen", () => read().catch(() => {}));
readOn();
