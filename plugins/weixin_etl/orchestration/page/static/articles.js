// How an account's latest articles grow beside what is usual, and where one's readers came from.

import { configuration, el, LANGUAGE, number, t, table, whole } from "./common.js";

export async function articles({ now, go, ask }) {
  const accounts = await ask("accounts", { dataset: now.dataset });
  const title = el("h2", {}, t("view_articles"));
  if (!accounts.length) return { nodes: [title, el("p", { class: "empty" }, t("articles_none"))] };
  const chosen = accounts.find((it) => it.appid === now.appid) ?? accounts[0];
  const found = await ask("articles", { dataset: now.dataset, appid: chosen.appid });
  const choice = chooser(accounts, chosen, go);
  if (!found.articles.length) return { nodes: [title, choice, el("p", { class: "empty" }, t("articles_empty"))] };
  const selected = found.articles.find((it) => it.msgid === now.msgid) ?? found.articles[0];
  const sources = await ask("article", { dataset: now.dataset, appid: chosen.appid, msgid: selected.msgid });
  const chart = el("div", {
    class: "chart", role: "img", "aria-label": t("growth_summary", { count: found.articles.length, name: chosen.name }),
  }, el("p", { class: "loading" }, t("loading")));
  return {
    nodes: [
      title, choice,
      el("h3", {}, t("growth")),
      el("p", { class: "quiet" }, t("axis_readers", { metric: LANGUAGE === "zh-CN" ? found.chinese_name : found.meaning })),
      legend(found, selected), chart,
      list(found, selected, (msgid) => go({ appid: chosen.appid, msgid })),
      ...later(found),
      el("section", { "aria-labelledby": "sources" },
        el("h3", { id: "sources" }, t("sources_of")),
        el("p", {}, el("strong", {}, selected.title ?? t("no_title"))),
        ...sourcesTable(sources)),
    ],
    ready: () => plotly().then(() => draw(chart, found, selected), (error) => chart.replaceChildren(error.message)),
  };
}

const OPTION = (it) => `${it.name} (${it.appid})`;

function chooser(accounts, chosen, go) {
  if (accounts.length <= 30) {
    return el("label", { class: "search" }, el("span", {}, t("choose_account")),
      el("select", { id: "account", onchange: (event) => go({ appid: event.target.value, msgid: "" }) },
        accounts.map((it) => el("option", { value: it.appid, selected: it === chosen }, OPTION(it)))));
  }
  return el("label", { class: "search" }, el("span", {}, t("choose_account")),
    el("input", {
      type: "search", id: "account", list: "all-accounts", value: OPTION(chosen), autocomplete: "off",
      onfocus: (event) => event.target.select(),
      oninput: (event) => {
        const next = accounts.find((it) => OPTION(it) === event.target.value);
        if (next && next !== chosen) go({ appid: next.appid, msgid: "" });
      },
      onchange: (event) => {
        const part = event.target.value.trim().toLowerCase();
        const next = accounts.find((it) => OPTION(it).toLowerCase().includes(part)) ?? chosen;
        if (next === chosen) event.target.value = OPTION(chosen);
        else go({ appid: next.appid, msgid: "" });
      },
    }),
    el("datalist", { id: "all-accounts" }, accounts.map((it) => el("option", { value: OPTION(it) }))));
}

let loading;
// Its 1.2 MB are fetched when they are first needed, from this server; figures and texts don't wait.
function plotly() {
  loading ??= new Promise((done, failed) => {
    const fail = () => {
      loading = undefined;
      failed(new Error(t("error_network")));
    };
    document.head.append(el("script", { src: `${configuration.base}/plotly.js`, onload: done, onerror: fail }));
  });
  return loading;
}

// What is usual in the article's position; of the first position when its own is unknown.
function usual(found, article) {
  const of = found.benchmark.filter((it) => it.position === article.position);
  return of.length ? of : found.benchmark.filter((it) => it.position === 1);
}

function legend(found, selected) {
  const signs = [["selected", t("selected_article")], ["others", t("other_articles")]];
  if (usual(found, selected).length) signs.push(["band", t("usual_band")], ["median", t("usual_median")]);
  return el("ul", { class: "chart-legend", "aria-hidden": "true" }, signs.map(([name, label]) => el("li", {}, el("span", { class: `sign ${name}` }), label)));
}

// Plotly knows no light-dark(): the colours are read where a style sheet has resolved them.
function colours() {
  const probe = el("span", { class: "probe" });
  document.body.append(probe);
  const of = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const read = Object.fromEntries(["text", "quiet", "line", "accent", "other", "band", "median", "surface"].map((name) => [name, of(name)]));
  probe.remove();
  return read;
}

// Plotly takes some markup in texts for its own: a title has none.
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function draw(chart, found, selected) {
  const colour = colours();
  const bench = usual(found, selected);
  const days = bench.map((it) => it.day_number);
  const line = (article, extra) => ({
    x: article.readers.map((it) => it[0]), y: article.readers.map((it) => it[1]), mode: "lines+markers",
    name: plain(article.title ?? t("no_title")), hovertemplate: "%{y:,}<extra>%{fullData.name}</extra>", ...extra,
  });
  const band = bench.length ? [
    { x: days, y: bench.map((it) => it.upper_quartile), mode: "lines", line: { width: 0 }, hoverinfo: "skip" },
    { x: days, y: bench.map((it) => it.lower_quartile), mode: "lines", line: { width: 0 }, fill: "tonexty", fillcolor: colour.band, hoverinfo: "skip" },
    { x: days, y: bench.map((it) => it.median), mode: "lines", line: { color: colour.median, width: 2, dash: "dash" }, name: t("usual_median"), hovertemplate: "%{y:,.0f}<extra>%{fullData.name}</extra>" },
  ] : [];
  const others = found.articles.filter((it) => it !== selected).map((it) => line(it, { line: { color: colour.other, width: 1.5 }, marker: { size: 4, color: colour.other } }));
  chart.replaceChildren();
  const chosen = line(selected, { line: { color: colour.accent, width: 3 }, marker: { size: 8, color: colour.accent } });
  const axis = { gridcolor: colour.line, linecolor: colour.line, zeroline: false, fixedrange: true };
  const top = Math.max(3, ...found.articles.flatMap((it) => it.readers.map((of) => of[0])), ...days);
  window.Plotly.newPlot(chart, [...band, ...others, chosen], {
    showlegend: false, margin: { l: 52, r: 12, t: 8, b: 46 }, height: 340, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour.text, family: "inherit", size: 13 }, hovermode: "closest",
    hoverlabel: { bgcolor: colour.surface, bordercolor: colour.line, font: { color: colour.text }, namelength: 40 },
    xaxis: { ...axis, title: { text: t("axis_day"), font: { size: 13 } }, range: [0.8, top + 0.2], dtick: top > 12 ? 5 : 1, tick0: top > 12 ? 0 : 1 },
    yaxis: { ...axis, rangemode: "tozero", tickformat: ",d" },
  }, { displayModeBar: false, responsive: true });
}

function list(found, selected, choose) {
  const columns = [
    { label: t("article"), cell: (it) => it.title ?? t("no_title") },
    { label: t("published"), cell: (it) => whole(it.publication_date) },
    { label: t("position"), number: true, cell: (it) => number(it.position) },
    { label: t("readers_now"), number: true, cell: (it) => [number(it.latest), el("span", { class: "quiet under" }, t(it.is_final ? "is_final" : "still_grows"))] },
    { label: t("against_usual"), number: true, cell: (it) => against(found, it) },
    {
      label: t("show_article"), wide: true,
      cell: (it) => el("button", {
        type: "button", class: "small", id: `show-${it.msgid}`, "aria-pressed": String(it === selected),
        "aria-label": `${t("show_article")}: ${it.title ?? it.msgid}`, onclick: () => choose(it.msgid),
      }, t("show_article")),
    },
  ];
  return table(t("growth"), columns, found.articles, { captionHidden: true, rowClass: (it) => (it === selected ? "selected" : undefined) });
}

// Readers of one day, whatever the article's age: no running totals.
function later(found) {
  if (!found.later.length) return [];
  return [el("section", { "aria-labelledby": "later" },
    el("h3", { id: "later" }, t("read_later")),
    el("p", { class: "quiet" }, t("read_later_hint", { days: found.window, day: found.later[0].stat_date })),
    table(t("read_later"), [
      { label: t("article"), cell: (it) => it.title ?? el("code", {}, it.msgid) },
      { label: t("published"), cell: (it) => (it.publication_date ? whole(it.publication_date) : t("unknown")) },
      { label: t("age"), number: true, cell: (it) => number(it.day_number) },
      { label: t("readers_of_day"), number: true, cell: (it) => number(it.readers) },
    ], found.later, { captionHidden: true }))];
}

// On the last day of 1, 3 and 7 that both have.
function against(found, article) {
  const readers = new Map(article.readers);
  const last = usual(found, article).filter((it) => it.median > 0 && readers.has(it.day_number)).at(-1);
  if (!last) return "–";
  const change = Math.round((readers.get(last.day_number) / last.median - 1) * 100);
  const percent = `${change > 0 ? "+" : change < 0 ? "−" : "±"}${Math.abs(change)} %`;
  return t("on_day", { percent, day: last.day_number });
}

function sourcesTable(rows) {
  if (!rows.length) return [el("p", { class: "empty" }, t("sources_empty"))];
  const most = Math.max(1, ...rows.map((it) => it.readers ?? 0));
  const bar = (it) => {
    const sign = el("span", { class: "bar", "aria-hidden": "true" });
    sign.style.width = `${((it.readers ?? 0) / most) * 100}%`;
    return sign;
  };
  return [
    el("p", { class: "quiet" }, t("sources_hint", { day: rows[0].stat_date })),
    table(t("sources_of"), [
      { label: t("scene"), cell: (it) => (LANGUAGE === "zh-CN" ? it.scene_chinese_name : it.scene_name) },
      { label: t("people"), number: true, cell: (it) => number(it.readers) },
      { label: t("share"), wide: true, cell: (it) => [bar(it), el("span", { class: "quiet" }, it.readers_share === null ? "" : ` ${(Number(it.readers_share) * 100).toFixed(1)} %`)] },
    ], rows, { captionHidden: true }),
  ];
}
