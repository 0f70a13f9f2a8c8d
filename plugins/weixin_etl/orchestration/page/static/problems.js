// What is wrong now, what was lately, and how each account stands.

import { dagId, el, number, pager, runLink, searchBox, sentence, t, table, time, timeElement } from "./common.js";

export async function problems({ now, go, ask }) {
  const offset = Number(now.offset ?? 0);
  const found = await ask("problems", { search: now.search, offset });
  const broken = together(found.problems.filter((it) => !it.is_warning));
  const warnings = together(found.problems.filter((it) => it.is_warning));
  return {
    nodes: [
      summary(found, broken.length, () => go({}, { replace: true })),
      broken.length > 0 && el("section", { "aria-labelledby": "now" },
        el("h2", { id: "now", class: "hidden" }, t("problems_now")), broken.map(card)),
      warnings.length > 0 && el("section", { "aria-labelledby": "warnings" },
        el("h2", { id: "warnings" }, t("warnings")), el("p", { class: "quiet" }, t("warnings_more")), warnings.map(card)),
      accounts(found, now, offset, go),
      el("section", { "aria-labelledby": "over" },
        el("h2", { id: "over" }, t("recently_over")),
        found.closed.length ? together(found.closed).map(card) : el("p", { class: "quiet" }, t("none_over"))),
      found.reads_as && found.reads_as !== "weixin_reader" &&
        el("p", { class: "quiet" }, t("reads_as_other", { conn_id: found.reads_as })),
    ],
  };
}

function summary(found, count, refresh) {
  const isWell = found.is_healthy;
  const title = !isWell ? (count === 1 ? t("one_wrong") : t("some_wrong", { count }))
    : found.problems.length ? t("only_warnings") : t("all_well");
  return el("div", { class: `notice ${isWell ? "good" : "bad"}` },
    el("h2", {}, title),
    isWell && found.account_count > 0 && el("p", {}, t("all_well_more")),
    el("p", { class: "quiet" }, t("checked_at", { time: time(found.checked_at) }), " ",
      el("button", { type: "button", class: "small", id: "refresh", onclick: refresh }, t("refresh"))));
}

// What many accounts have alike is one problem: lists of those with the same cure, in their order.
// What concerns all of them stands alone.
function together(incidents) {
  const alike = new Map();
  for (const it of incidents) {
    const key = it.account === "" ? it : JSON.stringify([it.dataset, it.kind, it.error_code, it.cure || it.cause, it.closed_at]);
    alike.set(key, [...(alike.get(key) ?? []), it]);
  }
  return [...alike.values()];
}

// The cure comes first: it is what the reader can do. Where nothing is to be done, what happened.
function card([it, ...others]) {
  const isToDo = it.cure && !it.closed_at && !it.is_warning;
  const [first, second] = isToDo ? [it.cure, it.cause] : [it.cause, it.closed_at ? "" : it.cure];
  const name = it.account || t("whole_run");
  const who = others.length ? t("and_more", { name, count: number(others.length) }) : name;
  return el("article", { class: `card ${it.closed_at ? "over" : it.is_warning ? "warn" : "bad"}` },
    el("h3", {}, el("span", { class: "who" }, who), " ", sentence(first)),
    second && el("p", {}, sentence(second)),
    facts(it),
    others.length > 0 && el("details", {}, el("summary", {}, t("which_accounts")),
      el("ul", {}, [it, ...others].map((one) => el("li", {}, el("strong", {}, one.account || t("whole_run")),
        one.cause !== it.cause && ` ${one.cause}`, facts(one))))));
}

function facts(it) {
  const dag = dagId(it.dataset);
  const days = it.day_count > 1 ? t("day_count", { count: it.day_count, days: it.days })
    : it.day_count === 1 ? t("one_day", { days: it.days }) : null;
  const when = it.closed_at && it.closed_at === it.opened_at ? t("met_at", { time: time(it.opened_at) })
    : it.closed_at ? t("lasted", { duration: it.lasted, time: time(it.closed_at) })
    : it.opened_at && t("since", { time: time(it.opened_at) });
  const said = [dag ?? t("every_dataset"), days, it.error_code !== null && t("errcode", { code: it.error_code }), when,
    !it.closed_at && it.seen_at && it.seen_at !== it.opened_at && t("seen", { time: time(it.seen_at) })];
  return el("ul", { class: "facts" }, said.filter(Boolean).map((fact) => el("li", {}, fact)),
    it.run_id && dag && el("li", {}, runLink(dag, it.run_id, t("open_run"))));
}

function accounts(found, now, offset, go) {
  if (!found.account_count && !now.search) {
    return el("section", {}, el("h2", {}, t("accounts")), el("p", { class: "empty" }, t("no_accounts")));
  }
  const columns = [
    { label: t("account"), cell: (it) => [el("strong", {}, it.name), el("span", { class: "quiet under" }, dagId(it.dataset))] },
    { label: t("state"), wide: true, cell: state },
    { label: t("last_day_in"), cell: (it) => it.last_day_in ?? t("never") },
    { label: t("last_success"), cell: (it) => (it.ready_at ? timeElement(it.ready_at) : t("never")) },
    { label: t("calls_today"), number: true, cell: (it) => number(it.calls_today) },
    { label: t("quota_left"), number: true, cell: quota },
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
    const label = it.days_not_in_count === 1 ? t("unhealthy_one") : t("unhealthy", { count: number(it.days_not_in_count) });
    return [el("span", { class: "chip bad" }, label), el("span", { class: "quiet under" }, it.days_not_in)];
  }
  if (it.is_retired) return el("span", { class: "chip retired" }, t("is_retired"));
  if (it.open_incidents) return el("span", { class: "chip bad" }, t("has_incident"));
  if (it.open_day_count) return el("span", { class: "chip open" }, t("waiting"));
  if (it.resting_day_count) return el("span", { class: "chip retired" }, t("resting", { count: number(it.resting_day_count) }));
  return el("span", { class: "chip good" }, t("healthy"));
}

function quota(it) {
  if (it.quota_left === null) return t("unknown");
  const left = it.quota_limit === null ? number(it.quota_left)
    : t("quota_of", { left: number(it.quota_left), limit: number(it.quota_limit) });
  return [left, el("span", { class: "quiet under" }, t(it.is_quota_said ? "quota_said" : "quota_counted"))];
}
