// The calendar of accounts by publication days, and one day's story.

import { addDays, copyButton, dagId, el, facts, number, pager, runLink, searchBox, sentence, t, table, time, timeElement, whole, word } from "./common.js";
import { form, formsOf } from "./form.js";
import { counts } from "./runs.js";

const SIGNS = {
  final: "✓", in: "●", unconfirmed: "1", silent: "z", open: "○", late: "!", lost: "∅", given_up: "✕",
};
const CELL = 24; // pixels, as in page.css
const NARROW = 700;
// Days to ask for, and their forms: kept while other days are looked at.
const selection = { dataset: "", pairs: new Map(), last: null, forms: new Map() };

// As many days as the screen has room for.
function room() {
  const width = document.documentElement.clientWidth;
  const names = width < NARROW ? 0 : 190;
  return Math.max(7, Math.min(62, Math.floor((width - names - (width < NARROW ? 34 : 66)) / CELL)));
}

export async function coverage({ now, go, ask }) {
  const offset = Number(now.offset ?? 0);
  const days = room();
  const found = await ask("calendar", {
    dataset: now.dataset, last: now.last, days, search: now.search, offset, only_trouble: now.only ? true : undefined,
  });
  const steps = el("div", { class: "steps" },
    el("button", { type: "button", id: "earlier", onclick: () => go({ last: addDays(found.first, -1) }) }, "← ", t("earlier")),
    el("span", {}, t("days_shown", { first: found.first, last: found.last })),
    el("button", { type: "button", id: "later", disabled: found.last >= found.newest, onclick: () => go({ last: addDays(found.last, days) }) }, t("later"), " →"),
    el("button", { type: "button", id: "newest", disabled: found.last >= found.newest, onclick: () => go({ last: "" }) }, t("newest")));
  const filters = el("div", { class: "filters" },
    searchBox(now.search ?? "", (search) => go({ search, offset: "" }, { replace: true })),
    el("label", { class: "check" },
      el("input", { type: "checkbox", id: "only", checked: Boolean(now.only), onchange: (event) => go({ only: event.target.checked ? 1 : "", offset: "" }) }),
      el("span", {}, t("only_trouble"))),
    el("button", { type: "button", id: "choose", "aria-pressed": `${Boolean(now.choose)}`, onclick: () => go({ choose: now.choose ? "" : 1 }) }, t("choose_days")));
  if (selection.dataset !== now.dataset) Object.assign(selection, { dataset: now.dataset, pairs: new Map(), last: null, forms: new Map() });
  const chooser = el("div", { class: "chooser" });
  const choose = now.choose && (() => chooser.replaceChildren(...choices(now.dataset, choose)));
  const nothing = now.search ? t("no_match", { search: now.search }) : now.only ? t("calendar_all_in") : t("calendar_empty");
  return {
    isAtWork: found.is_at_work,
    nodes: [
      el("h2", {}, t("view_coverage")),
      filters,
      now.choose && chooser,
      found.accounts.length ? [steps, grid(found, now.dataset, ask, choose)] : el("p", { class: "empty" }, nothing),
      pager(offset, found.page_size, found.account_count, (next) => go({ offset: next })),
      legend(),
    ].flat(),
    ready: ({ isRefresh }) => {
      if (choose) choose();
      if (!isRefresh && now.day && now.appid) tell(now.dataset, now.appid, now.day, ask);
    },
  };
}

function legend() {
  const entry = (classes, sign, name, meaning) => el("div", {},
    el("dt", {}, el("span", { class: `cell ${classes}`, "aria-hidden": "true" }, sign), name), el("dd", {}, meaning));
  return el("section", { class: "legend", "aria-labelledby": "legend" },
    el("h3", { id: "legend" }, t("legend")),
    el("dl", {}, Object.entries(SIGNS).map(([name, sign]) => entry(name, sign, t(`state_${name}`), t(`means_${name}`))),
      entry("open failed", "\u00a0", sentence(t("ending_failed")), t("means_failed"))));
}

function grid(found, dataset, ask, choose) {
  const days = found.accounts[0].states.map((_, n) => addDays(found.first, n));
  const months = [];
  for (const day of days) {
    const month = day.slice(0, 7);
    if (months.at(-1)?.month === month) months.at(-1).span += 1;
    else months.push({ month, span: 1 });
  }
  const weekday = (day) => new Date(`${day}T00:00:00Z`).getUTCDay();
  const body = found.accounts.map((account) => el("tr", { role: "row" },
    el("th", { scope: "row", role: "rowheader", title: `${account.name} ${account.appid}` },
      el("span", { class: "name" }, account.name), !account.is_active && el("span", { class: "quiet under" }, t("not_collected"))),
    account.states.map((state, n) => cell(account, days[n], state, account.endings[n], weekday(days[n]), Boolean(choose)))));
  const calendar = el("table", { class: "calendar", role: "grid", "aria-label": t("calendar_caption") },
    el("thead", { role: "rowgroup" },
      el("tr", { role: "row" }, el("td", { rowspan: 2, class: "corner" }),
        months.map((it) => el("th", { scope: "colgroup", role: "columnheader", colspan: it.span, class: "month" }, el("span", {}, it.span > 2 ? it.month : "")))),
      el("tr", { role: "row" }, days.map((day) =>
        el("th", { scope: "col", role: "columnheader", class: weekday(day) === 1 ? "monday" : undefined, title: day }, day.slice(8))))),
    el("tbody", { role: "rowgroup" }, body));
  moveByKeys(calendar);
  calendar.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (!choose) tell(dataset, button.dataset.appid, button.dataset.day, ask);
    else {
      toggle(found, days, button.dataset, event.shiftKey);
      for (const it of calendar.querySelectorAll("button")) it.setAttribute("aria-pressed", `${selection.pairs.has(keyOf(it.dataset))}`);
      choose();
    }
  });
  return el("div", { class: "scroll" }, calendar);
}

const keyOf = ({ appid, day }) => `${appid} ${day}`;

// Choose a day or drop it; with the Shift key all days between it and the last one, of all accounts between.
function toggle(found, days, { appid, day }, isRange) {
  const { pairs, last } = selection;
  const isDropped = pairs.has(keyOf({ appid, day }));
  const appids = found.accounts.map((it) => it.appid);
  const between = (all, one, other) => {
    const [from, to] = [all.indexOf(one), all.indexOf(other)].sort((a, b) => a - b);
    return from < 0 ? [one] : all.slice(from, to + 1);
  };
  for (const it of isRange && last ? between(appids, appid, last.appid) : [appid]) {
    for (const each of isRange && last ? between(days, day, last.day) : [day]) {
      const pair = { appid: it, day: each };
      if (isDropped && !isRange) pairs.delete(keyOf(pair));
      else pairs.set(keyOf(pair), pair);
    }
  }
  selection.last = { appid, day };
}

// What was chosen, as forms.
function choices(dataset, choose) {
  const clear = () => {
    selection.pairs.clear();
    document.querySelectorAll(".calendar button[aria-pressed=true]").forEach((it) => it.setAttribute("aria-pressed", "false"));
    choose();
  };
  if (!selection.pairs.size) return [el("p", { class: "quiet" }, t("choose_hint"))];
  return [
    el("p", {}, t("chosen_days", { count: number(selection.pairs.size) }), " ", el("button", { type: "button", class: "small", onclick: clear }, t("choose_none"))),
    ...formsOf([...selection.pairs.values()]).map((it) => {
      const key = JSON.stringify(it);
      if (!selection.forms.has(key)) selection.forms.set(key, form(dataset, it));
      return selection.forms.get(key);
    }),
  ];
}

// What we have gives the colour and the sign; that the last attempt failed is marked beside it.
function cell(account, day, state, ending, weekday, isChosen) {
  const words = [t(`state_${state ?? "none"}`), ending && ending !== "ok" && t(`ending_${ending}`)];
  const label = `${account.name}, ${day}: ${words.filter(Boolean).join(", ")}`;
  return el("td", { role: "gridcell", class: weekday === 1 ? "monday" : undefined },
    state === null && !isChosen
      ? el("span", { class: "cell none", title: label })
      : el("button", {
        type: "button", class: `cell ${state ?? "none"} ${ending ?? ""}`, tabindex: -1, title: label, "aria-label": label,
        "data-appid": account.appid, "data-day": day, "aria-pressed": isChosen && `${selection.pairs.has(keyOf({ appid: account.appid, day }))}`,
      }, SIGNS[state] ?? ""));
}

// One stop for Tab; arrows, Home and End move inside.
function moveByKeys(calendar) {
  const rows = [...calendar.tBodies[0].rows].map((row) => [...row.querySelectorAll("td")].map((it) => it.querySelector("button")));
  const all = rows.flat().filter(Boolean);
  const start = rows[0]?.filter(Boolean).at(-1) ?? all[0];
  if (start) start.tabIndex = 0;
  calendar.addEventListener("keydown", (event) => {
    const r = rows.findIndex((row) => row.includes(event.target));
    if (r < 0) return;
    const c = rows[r].indexOf(event.target);
    const along = (row, from, step) => {
      for (let n = from; n >= 0 && n < row.length; n += step) if (row[n]) return row[n];
      return undefined;
    };
    const down = (from, step) => {
      for (let n = from; n >= 0 && n < rows.length; n += step) if (rows[n][c]) return rows[n][c];
      return undefined;
    };
    const next = {
      ArrowRight: () => along(rows[r], c + 1, 1),
      ArrowLeft: () => along(rows[r], c - 1, -1),
      ArrowDown: () => down(r + 1, 1),
      ArrowUp: () => down(r - 1, -1),
      Home: () => along(rows[r], 0, 1),
      End: () => along(rows[r], rows[r].length - 1, -1),
    }[event.key]?.();
    if (!next) return;
    event.preventDefault();
    for (const it of all) it.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

async function tell(dataset, appid, day, ask) {
  const dialog = document.getElementById("story");
  const close = el("button", { type: "button", class: "close", "aria-label": t("close"), onclick: () => dialog.close() }, "×");
  const fill = (title, ...nodes) => dialog.replaceChildren(el("div", { class: "head" }, el("h2", { id: "story-title" }, title), close), ...nodes);
  fill(day, el("p", { class: "loading" }, t("loading")));
  if (!dialog.open) dialog.showModal();
  dialog.onclick = (event) => event.target === dialog && dialog.close();
  try {
    const story = await ask("pair", { dataset, appid, day });
    fill(t("story_of", { name: story.name, day }), ...chapters(dataset, story).filter(Boolean));
  } catch (error) {
    fill(day, el("p", { role: "alert" }, error.message));
  }
  close.focus();
}

function chapters(dataset, story) {
  const state = story.state ?? "none";
  return [
    el("p", { class: "verdict" }, el("span", { class: `cell ${state}`, "aria-hidden": "true" }, SIGNS[state] ?? ""), " ",
      el("strong", {}, t(`state_${state}`)), " · ", t(`means_${state}`)),
    ...attempt(story.coverage),
    ...holdings(story.coverage),
    el("h3", {}, t("ask_again")), form(dataset, story.form),
    story.form_day_count > 1 && el("p", { class: "quiet" }, t("ask_neighbours", { count: story.form_day_count })),
    el("h3", {}, t("runs_of_day")), story.runs.length ? runsTable(dataset, story.runs) : el("p", { class: "quiet" }, t("no_runs_of_day")),
    el("h3", {}, t("restatements")), ...restatements(story),
    story.rejected.length > 0 && el("h3", {}, t("rejected")),
    story.rejected.length > 0 && table(t("rejected"), [
      { label: t("reason"), cell: (it) => it.reason },
      { label: t("parts"), number: true, cell: (it) => number(it.part_count) },
    ], story.rejected, { captionHidden: true }),
    el("h3", {}, t("answers")), ...answers(dataset, story),
  ];
}

function attempt(known) {
  const said = known && [
    t(`ending_${known.ending}`),
    t("attempted_at", { time: time(known.attempted_at) }),
    known.error_code !== null ? t("errcode", { code: known.error_code }) : null,
  ];
  return [
    el("h3", {}, t("what_happened")),
    known?.cure && el("p", {}, el("strong", {}, sentence(known.cure))),
    known?.error && el("p", {}, sentence(known.error)),
    said ? facts(said) : el("p", { class: "quiet" }, t("never_attempted")),
  ];
}

function holdings(known) {
  const title = el("h3", {}, t("what_we_have"));
  if (!known?.fetched_at) return [title, el("p", { class: "quiet" }, t("nothing_loaded"))];
  return [title, facts(
    ...(known.article_count || known.row_count
      ? [t("article_count", { count: number(known.article_count) }), t("row_count", { count: number(known.row_count) })]
      : [t("empty_day")]),
    known.through_date && t("through_date", { day: known.through_date }),
    t("answered_at", { time: time(known.fetched_at) }),
    known.ready_at && t("ready_at", { time: time(known.ready_at) }),
  )];
}

function runsTable(dataset, runs) {
  return table(t("runs_of_day"), [
    { label: t("run"), cell: (it) => runLink(dagId(dataset), it.run_id, whole(time(it.planned_at))) },
    { label: t("asked_at"), cell: (it) => (it.attempted_at ? timeElement(it.attempted_at) : t("not_asked")) },
    ...counts((it) => it),
  ], runs, { captionHidden: true });
}

function restatements(story) {
  if (!story.restatement_count) return [el("p", { class: "quiet" }, t("no_restatements"))];
  const shown = story.restatements.length;
  return [
    shown < story.restatement_count && el("p", { class: "quiet" }, t("restatements_more", { shown, count: number(story.restatement_count) })),
    table(t("restatements"), [
      { label: t("article"), cell: (it) => it.title ?? it.msgid },
      { label: t("stat_day"), cell: (it) => whole(it.stat_date) },
      { label: t("metric"), cell: (it) => el("code", {}, it.metric) },
      { label: t("kind"), cell: (it) => word("kind", it.kind) },
      { label: t("old_value"), number: true, cell: (it) => figure(it.old_value, it.had_list) },
      { label: t("new_value"), number: true, cell: (it) => figure(it.new_value, it.has_list) },
      { label: t("changed_at"), cell: (it) => timeElement(it.changed_at) },
      { label: t("cause"), cell: (it) => word("cause", it.cause) },
    ], story.restatements, { captionHidden: true }),
  ];
}

// A figure, or that it is a list or nothing.
function figure(value, isList) {
  if (isList) return t("list");
  return value === null ? t("no_value") : number(Number(value));
}

function answers(dataset, story) {
  if (!story.answers.length) return [el("p", { class: "quiet" }, t("no_answers"))];
  const command = `weixin-etl answers ${story.appid} ${story.day} --dataset ${dataset} --id ${story.answers[0].raw_response_id}`;
  return [
    table(t("answers"), [
      { label: t("number"), cell: (it) => `${it.raw_response_id}` },
      { label: t("first_fetched"), cell: (it) => timeElement(it.fetched_at) },
      { label: t("last_seen"), cell: (it) => timeElement(it.last_seen_at) },
      { label: "SHA-256", cell: (it) => el("code", {}, `${it.sha256_start}…`) },
    ], story.answers, { captionHidden: true }),
    el("p", { class: "command" }, t("answers_hint"), " ", el("code", {}, command), " ", copyButton(command)),
  ];
}
