// What came of each run, newest first.

import { dagId, el, number, pager, runLink, t, table, time, word } from "./common.js";

const STATES = ["loaded", "empty", "not_ready", "held_back", "failed", "planned"];
const COUNTS = ["calls", "inserted", "updated", "unchanged", "rejected", "restated"];

export async function runs({ now, go, ask }) {
  const offset = Number(now.offset ?? 0);
  const found = await ask("runs", { dataset: now.dataset, offset });
  const title = el("h2", {}, t("view_runs"));
  if (!found.runs.length) return { nodes: [title, el("p", { class: "empty" }, t("runs_empty"))] };
  const columns = [
    { label: t("run"), cell: (it) => [link(now.dataset, it), el("span", { class: "quiet under" }, it.run_type ?? kind(it.run_id))] },
    { label: t("airflow_state"), cell: (it) => el("span", { class: `chip ${chip(it.state)}` }, it.state ? word("run", it.state) : t("gone")) },
    { label: t("accounts"), number: true, cell: (it) => number(it.counts?.accounts) },
    { label: t("pairs"), wide: true, cell: (it) => (it.counts ? states(it.counts) : el("span", { class: "quiet" }, t("planned_nothing"))) },
    ...counts((it) => it.counts),
    { label: t("by_account"), wide: true, cell: (it) => (it.counts ? opener(now.dataset, it, ask) : "–") },
  ];
  return {
    nodes: [
      title,
      el("div", { class: "scroll" }, table(t("runs_caption"), columns, found.runs, { captionHidden: true })),
      pager(offset, found.page_size, found.run_count, (next) => go({ offset: next })),
    ],
  };
}

const name = (run) => (run.at ? time(run.at) : run.run_id);
// Airflow may have deleted a run that the warehouse still counts.
const link = (dataset, run) => (run.state ? runLink(dagId(dataset), run.run_id, name(run)) : el("span", { title: run.run_id }, name(run)));
const kind = (runId) => runId.split("__")[0];
const chip = (state) => ({ success: "good", failed: "bad", running: "open", queued: "open" })[state] ?? "retired";

const counts = (of) => COUNTS.map((name) => ({
  label: t(name === "rejected" ? "rejected_count" : name), number: true, cell: (it) => number(of(it)?.[name]),
}));

const states = (it) => el("ul", { class: "facts tight" }, STATES.filter((name) => it[name]).map((name) =>
  el("li", { class: ["failed", "not_ready", "held_back", "planned"].includes(name) ? "wrong" : undefined }, `${number(it[name])} ${t(`pair_${name}`)}`)));

// A button whose row opens below the run's.
function opener(dataset, run, ask) {
  const button = el("button", { type: "button", class: "small", "aria-expanded": "false" }, t("by_account"));
  button.addEventListener("click", async () => {
    const row = button.closest("tr");
    if (button.getAttribute("aria-expanded") === "true") {
      row.nextElementSibling.remove();
      button.setAttribute("aria-expanded", "false");
      return;
    }
    button.setAttribute("aria-expanded", "true");
    const place = el("td", { role: "cell", colspan: row.cells.length }, el("p", { class: "loading" }, t("loading")));
    row.after(el("tr", { role: "row", class: "inner" }, place));
    try {
      const found = await ask("run", { dataset, run_id: run.run_id });
      place.replaceChildren(...inner(found, run).filter(Boolean));
    } catch (error) {
      place.replaceChildren(el("p", { role: "alert" }, error.message));
    }
  });
  return button;
}

function inner(found, run) {
  const total = found[0]?.account_count ?? 0;
  const columns = [
    { label: t("account"), cell: (it) => it.name },
    { label: t("pairs"), wide: true, cell: states },
    ...counts((it) => it),
  ];
  return [
    total > found.length && el("p", { class: "quiet" }, t("accounts_more", { shown: found.length, count: number(total) })),
    table(`${t("by_account")}: ${name(run)}`, columns, found, { captionHidden: true }),
  ];
}
