// What is wrong now, what was lately, and how each account stands.

import { airflowLink, dagId, el, facts, number, pager, progressBar, ranges, runLink, searchBox, sentence, t, table, time, timeElement, whole } from "./common.js";

export async function problems({ now, go, ask }) {
  const offset = Number(now.offset ?? 0);
  const found = await ask("problems", { search: now.search, offset });
  const broken = found.problems.filter((it) => !it.is_warning);
  const warnings = found.problems.filter((it) => it.is_warning);
  const linked = Number(now.problem);
  const show = (it) => card(it, linked);
  return {
    isAtWork: found.runs.length > 0,
    nodes: [
      linked > 0 && ![...found.problems, ...found.closed].some((it) => isOf(it, linked)) && el("p", { class: "notice" }, t("problem_gone")),
      summary(found, broken, isNew(found, now)),
      found.runs.map(work),
      broken.length > 0 && el("section", { "aria-labelledby": "now" },
        el("h2", { id: "now", class: "hidden" }, t("problems_now")), broken.map(show)),
      warnings.length > 0 && el("section", { "aria-labelledby": "warnings" },
        el("h2", { id: "warnings" }, t("warnings")), el("p", { class: "quiet" }, t("warnings_more")), warnings.map(show)),
      found.is_read && !isNew(found, now) && accounts(found, now, offset, go),
      found.is_read && (found.closed.length > 0 || !isNew(found, now)) && el("section", { "aria-labelledby": "over" },
        el("h2", { id: "over" }, t("recently_over")),
        found.closed.length ? found.closed.map(show) : el("p", { class: "quiet" }, t("none_over"))),
      found.reads_as && found.reads_as !== "weixin_reader" &&
        el("p", { class: "quiet" }, t("reads_as_other", { conn_id: found.reads_as })),
    ].flat(),
    ready: ({ isRefresh }) => linked && !isRefresh && reveal(document.getElementById(`problem-${linked}`)),
  };
}

const together = (it) => [it, ...it.others];
const isOf = (it, incidentId) => together(it).some((one) => one.incident_id === incidentId);
// Where no account is collected there is nothing to say about accounts, nor about the past.
const isNew = (found, now) => found.is_read && !found.account_count && !now.search;

function reveal(element) {
  if (!element) return;
  element.closest("details")?.setAttribute("open", "");
  element.scrollIntoView({ block: "center" });
  element.focus({ preventScroll: true });
}

function summary(found, broken, isNew) {
  const isWell = found.is_healthy;
  const title = isNew && broken.length === 1 && broken[0].kind === "not_asked" ? t("nothing_collected")
    : !isWell ? t("some_wrong", { count: broken.length })
    : found.problems.length ? t("only_warnings") : t("all_well");
  return el("div", { class: `notice ${isWell ? "good" : "bad"}` },
    el("h2", {}, title),
    isWell && found.account_count > 0 && !found.runs.length && el("p", {}, t("all_well_more")));
}

// A run that is asking: nothing is wrong with what it has yet to bring in.
function work(run) {
  const dag = dagId(run.dataset);
  return el("div", { class: "notice work" },
    el("p", {}, runLink(dag, run.run_id, dag), " ", t("being_asked", { done: number(run.done), count: number(run.pair_count) })),
    progressBar(run.done, run.pair_count));
}

// The cure comes first: it is what the reader can do. Where nothing is to be done, what happened.
function card(it, linked) {
  const isToDo = it.cure && !it.closed_at && !it.is_warning;
  const [first, second] = isToDo ? [it.cure, it.cause] : [it.cause, it.closed_at ? "" : it.cure];
  const name = it.account || t("whole_run");
  const who = it.others.length ? t("and_more", { name, count: number(it.others.length) }) : name;
  const marked = linked && isOf(it, linked) ? "marked" : "";
  return el("article", { class: `card ${it.closed_at ? "over" : it.is_warning ? "warn" : "bad"} ${marked}`, ...(it.others.length ? {} : anchor(it)) },
    el("h3", {}, el("span", { class: "who" }, who), " ", sentence(first)),
    second && el("p", {}, sentence(second)),
    factsOf(it),
    it.others.length > 0 && el("details", { id: `accounts-of-${it.incident_id ?? it.kind}` }, el("summary", {}, t("which_accounts", { count: number(it.others.length + 1) })),
      el("ul", {}, together(it).map((one) => el("li", { ...anchor(one), class: one.incident_id === linked ? "marked" : undefined },
        el("strong", {}, one.account || t("whole_run")),
        one.cure !== it.cure && !it.closed_at && ` ${sentence(one.cure)}`, one.cause !== it.cause && ` ${sentence(one.cause)}`, factsOf(one))))));
}

// Messages link to it.
const anchor = (it) => (it.incident_id ? { id: `problem-${it.incident_id}`, tabindex: -1 } : {});

function factsOf(it) {
  const dag = dagId(it.dataset);
  const days = it.day_count > 0 && t("day_count", { count: it.day_count, days: ranges(it.days) });
  const when = it.closed_at && it.closed_at === it.opened_at ? t("met_at", { time: time(it.opened_at) })
    : it.closed_at ? t("lasted", { duration: it.lasted, time: time(it.closed_at) })
    : it.opened_at && t("since", { time: time(it.opened_at) });
  return facts(dag ?? t("every_dataset"), days, it.error_code !== null && t("errcode", { code: it.error_code }), when,
    !it.closed_at && it.seen_at && it.seen_at !== it.opened_at && t("seen", { time: time(it.seen_at) }),
    it.run_id && dag && runLink(dag, it.run_id, t("open_run")),
    it.path && !it.closed_at && !it.path.includes("/runs/") && airflowLink(it.path, t("open_where")));
}

function accounts(found, now, offset, go) {
  const columns = [
    { label: t("account"), cell: (it) => [el("strong", {}, it.name), el("span", { class: "quiet under" }, dagId(it.dataset))] },
    { label: t("state"), wide: true, cell: state },
    { label: t("last_day_in"), cell: (it) => (it.last_day_in ? whole(it.last_day_in) : t("never")) },
    { label: t("last_success"), isSpare: () => true, cell: (it) => (it.ready_at ? timeElement(it.ready_at) : t("never")) },
    { label: t("calls_today"), number: true, cell: (it) => number(it.calls_today) },
    { label: t("next_try"), cell: (it) => (it.next_try_at ? timeElement(it.next_try_at) : t("paused")) },
  ];
  return el("section", { "aria-labelledby": "accounts" },
    el("h2", { id: "accounts" }, t("accounts")),
    searchBox(now.search ?? "", (search) => go({ search, offset: "" }, { replace: true })),
    found.accounts.length ? table(t("accounts"), columns, found.accounts, { captionHidden: true })
      : el("p", { class: "empty" }, t("no_match", { search: now.search })),
    pager(offset, found.page_size, found.account_count, (next) => go({ offset: next })));
}

function state(it) {
  if (it.days_not_in_count) {
    const label = t("unhealthy", { count: number(it.days_not_in_count) });
    return [el("span", { class: "chip bad" }, label), el("span", { class: "quiet under" }, ranges(it.days_not_in))];
  }
  if (it.is_retired) return el("span", { class: "chip retired" }, t("is_retired"));
  if (it.open_incidents) return el("span", { class: "chip bad" }, t("has_incident"));
  if (it.being_asked_left) {
    const done = it.being_asked_count - it.being_asked_left;
    return el("span", { class: "chip retired" }, t("being_asked", { done: number(done), count: number(it.being_asked_count) }));
  }
  if (it.open_day_count) return el("span", { class: "chip open" }, t("waiting"));
  if (it.silent_day_count) return el("span", { class: "chip retired" }, t("silent", { count: number(it.silent_day_count) }));
  return el("span", { class: "chip good" }, t("healthy"));
}
