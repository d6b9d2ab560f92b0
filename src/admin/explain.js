// The view "Patterns": explains a pasted payload, and lists what is looked for.
//
// The payload goes to /api/v1/explain and stays in this page alone; answers are written with textContent.
"use strict";

const explained = { patterns: null };

function verdictRow(event) {
  const made = element("tr", event.replaced ? "replaced" : "");
  const where = element("td", "path", event.path || "(text)");
  if (event.value !== null) where.append(element("div", "value", event.value));
  made.append(where, element("td", "", event.layers.join(", ") || "-"), element("td", "", event.pattern),
    element("td", "", (event.class ?? "-").replaceAll("_", " ")), element("td", "", event.verdict));
  return made;
}

function showExplanation(told) {
  const replaced = told.events.filter((event) => event.replaced).length;
  const parts = [`${replaced} replaced, ${told.events.length - replaced} looked at and left`];
  if (told.events_more > 0) parts.push(`${told.events_more} more not listed`);
  for (const one of told.dropped) parts.push(`${one.items} items dropped: ${one.reason}`);
  if (told.refused) parts.push(`refused: ${told.refused}`);
  byId("explain-told").textContent = parts.join("; ");
  const output = byId("explain-output");
  output.replaceChildren();
  appendPayload(output, told.output);
  output.hidden = told.output === "";
  byId("explain-events").replaceChildren(...told.events.map(verdictRow));
  byId("explain-table").hidden = told.events.length === 0;
}

/** What is chosen; JSON that is laid out over several lines is one document, where a stream would be lines. */
function formatOf(payload) {
  const chosen = byId("explain-format").value;
  return chosen === "auto" && payload.trim().includes("\n") && parse(payload) ? "json" : chosen;
}

async function explain() {
  const query = new URLSearchParams({ format: formatOf(byId("payload").value) });
  if (byId("explain-route").value) query.set("route", byId("explain-route").value);
  if (byId("explain-reveal").checked) query.set("reveal", "1");
  const answer = await fetch(`/api/v1/explain?${query}`, { method: "POST", body: byId("payload").value, cache: "no-store" });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  showExplanation(told);
}

function showSet() {
  const wanted = byId("set-filter").value.trim().toLowerCase();
  const fits = (one) => `${one.name} ${one.class ?? ""} ${one.kind} ${one.why}`.toLowerCase().includes(wanted);
  const listed = explained.patterns.filter(fits);
  byId("set-count").textContent = `${listed.length} of ${explained.patterns.length}`;
  byId("set").replaceChildren(...listed.map((one) => {
    const made = element("tr", one.in_force ? "" : "off");
    made.append(element("td", "", one.name), element("td", "", (one.class ?? "-").replaceAll("_", " ")),
      element("td", "", one.in_force ? one.kind : `${one.kind}, off`), element("td", "muted", one.why),
      element("td", "", one.hits.toLocaleString()));
    return made;
  }));
}

async function loadSet() {
  const routes = JSON.parse(await fetchText("/api/v1/status")).routes.map((route) => route.name);
  const chosen = byId("explain-route").value;
  byId("explain-route").replaceChildren(...routes.map((name) => element("option", "", name)));
  if (routes.includes(chosen)) byId("explain-route").value = chosen;
  const told = JSON.parse(await fetchText("/api/v1/patterns"));
  explained.patterns = told.patterns.sort((a, b) => b.hits - a.hits || a.name.localeCompare(b.name));
  showSet();
}

byId("explain-run").addEventListener("click", () => explain().catch((error) => {
  byId("explain-told").textContent = `not explained: ${error.message}`;
}));
byId("set-filter").addEventListener("input", () => explained.patterns && showSet());
byId("tab-explain").addEventListener("chosen", () => loadSet().catch(() => {
  byId("set-count").textContent = "no answer from tamis";
}));
