// What came of each run, newest first.

import { dagId, el, number, pager, progressBar, ranges, runLink, t, table, time, whole, word } from "./common.js";

const COUNTS = ["calls", "inserted", "updated", "unchanged", "rejected"];
const opened = new Set(); // the runs that are shown by account, also after they are read again

export async function runs({ now, go, ask }) {
  const offset = Number(now.offset ?? 0);
  const found = await ask("runs", { dataset: now.dataset, offset });
  const title = el("h2", {}, t("view_runs"));
  if (!found.runs.length) return { nodes: [title, el("p", { class: "empty" }, t("runs_empty"))] };
  const inners = new Map();
  for (const run of found.runs.filter((it) => opened.has(it.run_id))) {
    inners.set(run.run_id, await ask("run", { dataset: now.dataset, run_id: run.run_id }));
  }
  const columns = [
    { label: t("run"), cell: (it) => [link(now.dataset, it), el("span", { class: "quiet under" }, word("type", it.run_type ?? kind(it.run_id)))] },
    { label: t("airflow_state"), cell: (it) => el("span", { class: `chip ${chip(it.state)}` }, it.state ? word("run", it.state) : t("gone")) },
    { label: t("accounts"), number: true, cell: (it) => number(it.counts?.accounts) },
    { label: t("pairs"), wide: true, cell: (it) => (it.counts ? [it.is_at_work && progressBar(it.counts.pairs - it.days_left, it.counts.pairs), states(it.counts, it)] : el("span", { class: "quiet" }, t(it.is_at_work ? "plans_yet" : "planned_nothing"))) },
    ...counts((it) => it.counts),
    { label: t("by_account"), wide: true, cell: (it) => (it.counts ? opener(now.dataset, it, ask, inners.get(it.run_id)) : "–") },
  ];
  const shown = table(t("runs_caption"), columns, found.runs, { captionHidden: true });
  for (const button of shown.querySelectorAll("button[aria-expanded=true]")) button.open();
  return {
    isAtWork: found.runs.some((it) => it.is_at_work),
    nodes: [
      title,
      el("div", { class: "scroll" }, shown),
      pager(offset, found.page_size, found.run_count, (next) => go({ offset: next })),
    ],
  };
}

const name = (run) => (run.at ? time(run.at) : run.run_id);
const shownName = (run) => (run.at ? whole(time(run.at)) : run.run_id);
// Airflow may have deleted a run that the warehouse still counts.
const link = (dataset, run) => (run.state ? runLink(dagId(dataset), run.run_id, shownName(run)) : el("span", { title: run.run_id }, shownName(run)));
const kind = (runId) => runId.split("__")[0];
const chip = (state) => ({ success: "good", failed: "bad", running: "open", queued: "open" })[state] ?? "retired";

// What came of the days, in columns; a nought can be spared.
export const counts = (of) => COUNTS.map((name) => ({
  label: t(name === "rejected" ? "rejected_count" : name), number: true, isSpare: (it) => !of(it)?.[name], cell: (it) => number(of(it)?.[name]),
}));

// What came of the run's days. While it is at work nothing is wrong yet with those that are not in.
function states(it, run) {
  const said = [[t("pairs_planned", { count: number(it.pairs) })]];
  if (it.pairs > it.not_in) said.push([t("pairs_in", { count: number(it.pairs - it.not_in) })]);
  if (it.not_in) said.push([t(run.is_at_work ? "pairs_being_asked" : "pairs_not_in", { count: number(it.not_in) }), !run.is_at_work]);
  for (const { state, days } of it.states ?? []) said.push([`${t(`state_${state}`)}: ${ranges(days)}`]);
  return el("ul", { class: "facts tight" }, said.map(([fact, isWrong]) => el("li", { class: isWrong ? "wrong" : undefined }, fact)));
}

// A button whose row opens below the run's.
function opener(dataset, run, ask, found) {
  const button = el("button", { type: "button", class: "small", "aria-expanded": `${Boolean(found)}` }, t("by_account"));
  const place = el("td", { role: "cell", colspan: 10 });
  const inner = el("tr", { role: "row", class: "inner" }, place);
  button.open = () => {
    button.setAttribute("aria-expanded", "true");
    if (found) place.replaceChildren(...byAccount(found, run).filter(Boolean));
    else place.replaceChildren(el("p", { class: "loading" }, t("loading")));
    button.closest("tr").after(inner);
  };
  button.addEventListener("click", async () => {
    if (opened.delete(run.run_id)) {
      inner.remove();
      button.setAttribute("aria-expanded", "false");
      return;
    }
    opened.add(run.run_id);
    button.open();
    try {
      found = await ask("run", { dataset, run_id: run.run_id });
      button.open();
    } catch (error) {
      place.replaceChildren(el("p", { role: "alert" }, error.message));
    }
  });
  return button;
}

function byAccount(found, run) {
  const total = found[0]?.account_count ?? 0;
  const columns = [
    { label: t("account"), cell: (it) => it.name },
    { label: t("pairs"), wide: true, cell: (it) => states(it, run) },
    ...counts((it) => it),
  ];
  return [
    total > found.length && el("p", { class: "quiet" }, t("accounts_more", { shown: found.length, count: number(total) })),
    table(`${t("by_account")}: ${name(run)}`, columns, found, { captionHidden: true }),
  ];
}
