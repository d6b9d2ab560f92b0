// The page of the inbox: polls the admin port and shows what would have left.
//
// Everything from a payload is written with textContent, so it can never become markup. At most ROWS_MAX
// items are kept; each is rendered in full only when it is opened.
"use strict";

const POLL_MS = 2000;
const ROWS_MAX = 200;
const GIST_LEAVES = 4;
const GIST_CHARS = 72;
/** Fields that hold an address and nothing else: a null there was put in by Tamis. */
const ADDRESS_KEYS = new Set([
  "ip_address", "ip", "client_ip", "remote_addr", "REMOTE_ADDR", "client.address", "forwarded_for", "$ip",
]);

const byId = (id) => document.getElementById(id);
const page = { status: null, started: null, seq: 0, paused: false, tokens: null, count: 0, loaded: false };

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// ---- marks -----------------------------------------------------------------------------------------

/** Matches every token of the classes that the server knows, plain and percent-encoded, and pseudonyms. */
function tokenPattern(classes) {
  const words = classes.map((one) => one.word).sort((a, b) => b.length - a.length).join("|");
  return new RegExp(
    `\\[(?:${words})(?: [a-z]+=\\d+)*\\](?:_\\d+)?|%5B(?:${words})(?:(?:%20|\\+)[a-z]+(?:=|%3D)\\d+)*%5D|` +
      "[\\w.-]+@pseudonym\\.invalid", "gi");
}

/** Appends text to a node, its tokens inside <mark>. */
function appendMarked(node, text) {
  let from = 0;
  for (const hit of page.tokens ? text.matchAll(page.tokens) : []) {
    if (hit.index > from) node.append(text.slice(from, hit.index));
    node.append(element("mark", "", hit[0]));
    from = hit.index + hit[0].length;
  }
  if (from < text.length) node.append(text.slice(from));
}

const hasToken = (text) => page.tokens !== null && text.search(page.tokens) >= 0;

// ---- JSON ------------------------------------------------------------------------------------------

const parse = (text) => {
  try { return { value: JSON.parse(text) }; } catch { return null; }
};

/** Lays out JSON text without parsing its values, so that 1.0 and 2^53+1 are shown as they are. */
function appendJson(node, text) {
  const lexeme = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
  const parts = text.match(lexeme) || [];
  let depth = 0;
  let key = "";
  const newline = () => node.append("\n" + "  ".repeat(depth));
  parts.forEach((part, at) => {
    const next = parts[at + 1];
    if (part === "{" || part === "[") {
      node.append(part);
      if (next !== "}" && next !== "]") { depth += 1; newline(); }
    } else if (part === "}" || part === "]") {
      const before = parts[at - 1];
      if (before !== "{" && before !== "[") { depth -= 1; newline(); }
      node.append(part);
    } else if (part === ",") {
      node.append(part);
      newline();
    } else if (part === ":") {
      node.append(": ");
    } else {
      const isKey = next === ":";
      if (isKey) key = part.slice(1, -1);
      appendScalar(node, part, isKey, key);
    }
  });
}

function appendScalar(node, part, isKey, key) {
  if (part === "null" && ADDRESS_KEYS.has(key)) {
    node.append(element("mark", "", "null"));
    return;
  }
  const name = isKey ? "key" : part.startsWith('"') ? "string" : /^[-\d]/.test(part) ? "number" : "word";
  const span = element("span", name);
  appendMarked(span, part);
  node.append(span);
}

/** The payload for reading: JSON laid out, several documents one after another, or the text as it is. */
function appendPayload(node, text) {
  if (parse(text)) return appendJson(node, text);
  const lines = text.split("\n").filter((line) => line !== "");
  if (lines.length > 1 && lines.every(parse)) {
    lines.forEach((line, at) => {
      if (at > 0) node.append("\n\n");
      appendJson(node, line);
    });
    return;
  }
  appendMarked(node, text);
}

/** Calls `visit(path, value)` for each leaf, in order. */
function leaves(value, path, visit) {
  if (value !== null && typeof value === "object") {
    for (const [key, inner] of Object.entries(value)) {
      const step = Array.isArray(value) ? `[${key}]` : path === "" ? key : `.${key}`;
      leaves(inner, path + step, visit);
    }
  } else {
    visit(path, value);
  }
}

/** The leaves in which something was replaced, as [path, text]. */
function redactedLeaves(text) {
  const found = [];
  for (const document of parse(text) ? [text] : text.split("\n")) {
    const parsed = parse(document);
    if (!parsed) continue;
    leaves(parsed.value, "", (path, value) => {
      const key = path.slice(path.lastIndexOf(".") + 1);
      const emptied = value === null && (ADDRESS_KEYS.has(key) || path.endsWith("client.address"));
      if (emptied) found.push([path, null]);
      else if (typeof value === "string" && hasToken(value)) found.push([path, value]);
    });
  }
  return found;
}

/** The part of a long text around its first token. */
function excerpt(text) {
  if (text.length <= GIST_CHARS) return text;
  const hit = Math.max(0, page.tokens ? text.search(page.tokens) : 0);
  const from = hit > GIST_CHARS / 2 ? hit - 20 : 0;
  const end = Math.min(text.length, from + GIST_CHARS);
  return (from > 0 ? "…" : "") + text.slice(from, end) + (end < text.length ? "…" : "");
}

// ---- items -----------------------------------------------------------------------------------------

function gist(item) {
  const node = element("span", "gist");
  const text = item.payload;
  if (text === undefined) {
    node.textContent = item.note;
    return node;
  }
  const found = redactedLeaves(text);
  for (const [path, value] of found.slice(0, GIST_LEAVES)) {
    const leaf = element("span", "leaf");
    leaf.append(element("span", "path", path ? `${path}: ` : ""));
    if (value === null) leaf.append(element("mark", "", "null"));
    else appendMarked(leaf, excerpt(value));
    node.append(leaf);
  }
  if (found.length > GIST_LEAVES) node.append(element("span", "path", `+${found.length - GIST_LEAVES} more`));
  if (found.length === 0) appendMarked(node, excerpt(text.trim()));
  return node;
}

function row(item) {
  const details = element("details");
  const summary = element("summary");
  const time = element("time", "", new Date(item.time).toLocaleTimeString());
  time.dateTime = item.time;
  summary.append(time, element("span", "kind", item.kind), gist(item));
  details.append(summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) {
      const note = item.note ? ` · ${item.note}` : "";
      const facts = `#${item.seq} · route ${item.route} · ${item.protocol} · ${item.path} · ${item.bytes} bytes${note}`;
      const payload = element("pre");
      payload.tabIndex = 0;
      appendPayload(payload, item.payload === undefined ? item.note : item.payload);
      details.append(element("p", "facts muted", facts), payload);
      if (item.header !== undefined) details.append(headerLines(item));
    }
  });
  const made = element("li", page.loaded ? "new" : "");
  made.search = `${item.kind} ${item.route} ${item.protocol} ${item.path} ${item.payload || ""} ${item.header || ""}`.toLowerCase();
  made.append(details);
  return made;
}

/** The header lines around an item of an envelope, which leave as well. */
function headerLines(item) {
  const lines = element("pre");
  lines.tabIndex = 0;
  lines.setAttribute("aria-label", "Header lines of the envelope and the item");
  appendMarked(lines, `${item.envelope}\n${item.header}`);
  return lines;
}

function applyFilter() {
  const wanted = byId("filter").value.trim().toLowerCase();
  let shown = 0;
  for (const one of byId("items").children) {
    one.hidden = wanted !== "" && !one.search.includes(wanted);
    if (!one.hidden) shown += 1;
  }
  const all = byId("items").childElementCount;
  const text = all === 0 ? "" : wanted === "" ? `latest ${all} items` : `${shown} of the latest ${all} items`;
  if (byId("shown").textContent !== text) byId("shown").textContent = text;
  byId("empty").hidden = all > 0;
}

function addItems(items) {
  const list = byId("items");
  for (const item of items) {
    list.prepend(row(item));
    page.seq = item.seq;
  }
  while (list.childElementCount > ROWS_MAX) list.lastElementChild.remove();
  applyFilter();
}

// ---- status ----------------------------------------------------------------------------------------

function uptime(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "min"]];
  for (const [size, name] of units) if (seconds >= size) return `${Math.floor(seconds / size)} ${name}`;
  return `${seconds} s`;
}

function setPill(className, text) {
  const pill = byId("protection");
  pill.className = `pill ${className}`;
  if (pill.textContent !== text) pill.textContent = text;
}

function showProtection(status) {
  if (!status.ready) setPill("bad", `not ready: ${status.reasons.join(", ")}`);
  else if (!status.protected) setPill("bad", "some routes forward unscanned");
  else setPill("good", "protecting: nothing unscanned leaves");
}

function showClasses(status) {
  const found = status.classes.filter((one) => one.hits > 0).sort((a, b) => b.hits - a.hits);
  const most = found.length > 0 ? found[0].hits : 1;
  byId("no-classes").hidden = found.length > 0;
  byId("classes").replaceChildren(...found.map((one) => {
    const line = element("li");
    const name = element("span");
    name.append(element("mark", "", `[${one.word}]`), ` ${one.class.replaceAll("_", " ")}`);
    const track = element("span", "track");
    const fill = element("div", "fill");
    fill.style.width = `${(100 * one.hits) / most}%`;
    track.append(fill);
    track.setAttribute("aria-hidden", "true");
    line.append(name, element("span", "count", one.hits.toLocaleString()), track);
    return line;
  }));
}

/** Adds up over routes what one pattern did with one action, most hits first. */
function byPattern(redactions) {
  const sums = new Map();
  for (const { pattern, action, hits } of redactions) {
    const key = `${pattern} ${action}`;
    const sum = sums.get(key) ?? { pattern, action, hits: 0 };
    sum.hits += hits;
    sums.set(key, sum);
  }
  return [...sums.values()].sort((a, b) => b.hits - a.hits);
}

function showPatterns(status) {
  byId("patterns").replaceChildren(...byPattern(status.redactions).slice(0, 12).map((one) => {
    const line = element("tr");
    line.append(element("td", "", one.pattern), element("td", "", one.action),
      element("td", "", one.hits.toLocaleString()));
    return line;
  }));
}

function showRoutes(status) {
  byId("routes").replaceChildren(...status.routes.map((one) => {
    const line = element("li");
    line.append(element("strong", "", one.name), ` ${one.protocol} → ${one.upstream}`,
      element("div", "muted", `policy ${one.policy}, ${one.mode}`));
    if (one.unscanned_pass) line.append(element("div", "bad", "may pass items unscanned"));
    return line;
  }));
}

function showStatus(status) {
  const set = status.pattern_set ? ` · patterns ${status.pattern_set.hash.slice(0, 12)}` : "";
  byId("build").textContent = `version ${status.version} · up ${uptime(status.uptime_seconds)}${set}`;
  for (const [name, count] of Object.entries(status.items)) {
    const cell = byId(`count-${name}`);
    if (cell) cell.textContent = count.toLocaleString();
  }
  showProtection(status);
  showClasses(status);
  showPatterns(status);
  showRoutes(status);
  page.status = status;
  if (byId("sample").textContent !== status.sample_command) byId("sample").textContent = status.sample_command;
}

// ---- polling ---------------------------------------------------------------------------------------

async function fetchText(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.text();
}

/** After a restart numbers begin again: forget what was shown. */
function noteStart(status) {
  if (page.started !== null && page.started !== status.started) {
    byId("items").replaceChildren();
    page.seq = 0;
    page.loaded = false;
  }
  page.started = status.started;
}

async function poll() {
  const status = JSON.parse(await fetchText("/api/v1/status"));
  if (page.tokens === null) page.tokens = tokenPattern(status.classes);
  noteStart(status);
  showStatus(status);
  if (status.inbox && !page.paused) {
    const after = Math.max(page.seq, status.inbox.seq_last - ROWS_MAX);
    const lines = (await fetchText(`/inbox?after=${after}&limit=${ROWS_MAX}`)).split("\n");
    addItems(lines.filter((line) => line !== "").map((line) => JSON.parse(line)));
    page.loaded = true;
  }
}

async function run() {
  if (!document.hidden) {
    try {
      await poll();
    } catch {
      setPill("bad", "no answer from tamis");
    }
  }
  setTimeout(run, POLL_MS);
}

// ---- tabs ------------------------------------------------------------------------------------------

const tabs = [...document.querySelectorAll("[role=tab]")];

/** Shows the view of one tab; the address keeps which, so that a reload shows it again. */
function choose(tab) {
  for (const one of tabs) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", String(chosen));
    one.tabIndex = chosen ? 0 : -1;
    byId(one.getAttribute("aria-controls")).hidden = !chosen;
  }
  history.replaceState(null, "", `#${tab.id.slice(4)}`);
  tab.dispatchEvent(new Event("chosen"));
}

tabs.forEach((tab, at) => {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: tabs.length - 1 }[event.key];
    if (step === undefined) return;
    const next = tabs[(at + step) % tabs.length];
    next.focus();
    choose(next);
  });
});
// The scripts of the views are there once all is loaded.
addEventListener("load", () => {
  const named = tabs.find((tab) => `#${tab.id.slice(4)}` === location.hash);
  if (named) choose(named);
});

byId("filter").addEventListener("input", applyFilter);
byId("pause").addEventListener("click", () => {
  page.paused = !page.paused;
  byId("pause").setAttribute("aria-pressed", String(page.paused));
});
byId("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(byId("sample").textContent);
    byId("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(byId("sample"));
  }
});
run();
