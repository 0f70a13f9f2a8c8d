// What every view uses: labels, elements, times in Beijing, answers of the server, ways to Airflow.

export const configuration = JSON.parse(document.getElementById("configuration").textContent);
// Airflow's own switch decides where it was used, else the browser's preference, as the server found.
export const LANGUAGE = (() => {
  try {
    const chosen = localStorage.getItem("i18nextLng")?.split("-")[0];
    const spoken = Object.keys(configuration.labels).find((it) => it.split("-")[0] === chosen);
    if (chosen) return spoken ?? "en";
  } catch {
    // storage is switched off
  }
  return document.documentElement.lang;
})();
const LABELS = configuration.labels[LANGUAGE];
const LOCALE = LANGUAGE === "en" ? "en-GB" : LANGUAGE;

// The label in the page's language, its {places} filled in; a {count} of one has a label of its own.
export function t(name, places = {}) {
  if (!(name in LABELS)) throw new Error(`no label ${name}`);
  const one = String(places.count) === "1" && LABELS[`${name}_one`];
  return (one || LABELS[name]).replace(/\{(\w+)\}/g, (_, place) => String(places[place]));
}

// The label, or the word itself where the server may send words that the page does not know.
export const word = (prefix, name) => (`${prefix}_${name}` in LABELS ? t(`${prefix}_${name}`) : name);

// An element: el("a", {href, class, onclick}, children). Texts are texts, never markup.
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const NUMBER = new Intl.NumberFormat(LOCALE);
export const number = (value) => (value === null || value === undefined ? "–" : NUMBER.format(value));

const TIME = new Intl.DateTimeFormat("sv-SE", {
  timeZone: "Asia/Shanghai", dateStyle: "short", timeStyle: "short",
});
// 2026-11-24 08:30, in Beijing.
export const time = (iso) => TIME.format(new Date(iso));

const CLOCK = new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Shanghai", timeStyle: "medium" });
// When the server last answered, by its clock: 08:30:05, in Beijing.
export const clockTime = () => CLOCK.format(answeredAt);

// A date, or what else must not wrap.
export const whole = (text) => el("span", { class: "whole" }, text);

// <time> that shows Beijing's and tells machines the instant.
export const timeElement = (iso) => el("time", { datetime: iso }, time(iso));

export const addDays = (day, count) =>
  new Date(Date.parse(`${day}T00:00:00Z`) + count * 86400000).toISOString().slice(0, 10);

// Days as the server has them: 2026-11-17 to 2026-11-19, 2026-11-23.
export const ranges = (days) => days.replaceAll(" to ", t("to"));

// As a sentence of its own. What begins with a name or an address stays as it is.
export const sentence = (text) => (/^[a-z]+([ ,;]|: )/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text);

// A sentence for people who use a screen reader.
export function say(sentence) {
  document.getElementById("said").textContent = sentence;
}

export class Refusal extends Error {
  constructor(sentence, { isLogin = false } = {}) {
    super(sentence);
    this.isLogin = isLogin;
  }
}

let answeredAt = new Date();
// The server's answer; a sentence is thrown when there is none.
export async function ask(path, values = {}, signal = undefined) {
  const query = new URLSearchParams(
    Object.entries({ ...values, language: LANGUAGE }).filter(([, value]) => value !== undefined && value !== null && value !== ""),
  );
  let answer;
  try {
    answer = await fetch(`${configuration.base}/api/${path}?${query}`, { signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(t("error_network"));
  }
  if (!answer.ok) throw await refusal(answer, t("error_forbidden"));
  answeredAt = new Date(answer.headers.get("Date") ?? Date.now());
  return answer.json();
}

// Why the server did not do it.
async function refusal(answer, forbidden) {
  if (answer.status === 401) return new Refusal(t("error_login"), { isLogin: true });
  if (answer.status === 403) return new Refusal(forbidden);
  const said = await answer.json().catch(() => ({}));
  return new Refusal(typeof said.detail === "string" ? said.detail : t("error_network"));
}

// Trigger a run by Airflow's own API, with the reader's login and permission; its id.
export async function trigger(dataset, conf) {
  const answer = await fetch(`${configuration.airflow}/api/v2/dags/${encodeURIComponent(dagId(dataset))}/dagRuns`, {
    method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ logical_date: null, conf }),
  }).catch(() => { throw new Refusal(t("error_network")); });
  if (!answer.ok) throw await refusal(answer, t("error_trigger"));
  return (await answer.json()).dag_run_id;
}

// A link to a page of Airflow. Airflow shows this page in a sandboxed frame whose own links may lead
// nowhere but into the frame: so the click is made in Airflow's document, which is of the same origin.
export function airflowLink(path, ...children) {
  const href = `${configuration.airflow}${path}`;
  const follow = (event) => {
    if (window.top === window || event.button > 1) return;
    event.preventDefault();
    try {
      const outside = window.parent.document.createElement("a");
      outside.href = href;
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button === 1) outside.target = "_blank";
      window.parent.document.body.append(outside);
      outside.click();
      outside.remove();
    } catch {
      event.target.after(el("code", {}, t("path_hint", { path: href })));
    }
  };
  return el("a", { href, class: "airflow", onclick: follow, onauxclick: follow }, ...children);
}

export const runLink = (dagId, runId, ...children) =>
  airflowLink(`/dags/${encodeURIComponent(dagId)}/runs/${encodeURIComponent(runId)}`, ...children);

export const dagId = (dataset) => configuration.datasets.find((it) => it.name === dataset)?.dag_id;

// A button that copies a text; it says so.
export function copyButton(text, label = t("copy")) {
  return el("button", {
    type: "button",
    class: "small",
    onclick: async (event) => {
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        const hidden = el("textarea", { class: "hidden", "aria-hidden": "true" }, text);
        (document.querySelector("dialog[open]") ?? document.body).append(hidden);
        hidden.select();
        document.execCommand("copy");
        hidden.remove();
      }
      say(t("copied"));
      event.target.textContent = t("copied");
      setTimeout(() => { event.target.textContent = label; }, 2000);
    },
  }, label);
}

// Short facts in a row.
export const facts = (...said) => el("ul", { class: "facts" }, said.flat().filter(Boolean).map((fact) => el("li", {}, fact)));

// How far a run at work has come.
export const progressBar = (done, count) => el("progress", { value: done, max: Math.max(1, count), "aria-label": t("being_asked", { done: number(done), count: number(count) }) });

// A table: columns are {label, cell(row), number, wide, isSpare(row)}. On a narrow screen each row is a
// card that names its cells but the wide ones, without those it can spare; the roles keep it a table for
// screen readers.
export function table(caption, columns, rows, { captionHidden = false, rowClass = () => undefined } = {}) {
  return el("table", { role: "table" },
    el("caption", { class: captionHidden ? "hidden" : undefined }, caption),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, columns.map((column) =>
      el("th", { role: "columnheader", scope: "col", class: column.number ? "number" : undefined }, column.label)))),
    el("tbody", { role: "rowgroup" }, rows.map((row) => el("tr", { role: "row", class: rowClass(row) },
      columns.map((column, n) => el(n ? "td" : "th", {
        role: n ? "cell" : "rowheader", scope: n ? undefined : "row", "data-label": column.label,
        class: [column.number && "number", column.wide && "wide", column.isSpare?.(row) && "spare"].filter(Boolean).join(" ") || undefined,
      }, column.cell(row)))))));
}

// Previous and next, where there is more than a page.
export function pager(offset, size, total, go) {
  if (total <= size) return null;
  const last = Math.min(offset + size, total);
  return el("div", { class: "pager" },
    el("button", { type: "button", disabled: offset === 0, onclick: () => go(Math.max(0, offset - size)) }, t("previous")),
    el("span", {}, t("page_of", { first: number(offset + 1), last: number(last), total: number(total) })),
    el("button", { type: "button", disabled: last >= total, onclick: () => go(last) }, t("next")));
}

// A box to search in; it waits for a pause in the typing.
export function searchBox(value, go) {
  let waiting;
  return el("label", { class: "search" }, el("span", {}, t("search")),
    el("input", {
      type: "search", value, placeholder: t("search_hint"), maxlength: 100, id: "search",
      oninput: (event) => {
        clearTimeout(waiting);
        waiting = setTimeout(() => go(event.target.value), 250);
      },
    }));
}
