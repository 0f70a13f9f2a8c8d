// Which view is shown is in the address after #, so that it can be kept and sent.

import { airflowLink, ask, clockTime, configuration, el, LANGUAGE, Refusal, say, t } from "./common.js";
import { articles } from "./articles.js";
import { coverage } from "./coverage.js";
import { problems } from "./problems.js";
import { runs } from "./runs.js";

const VIEWS = { problems, coverage, runs, articles };
const SECONDS_AT_WORK = 10, SECONDS_AT_REST = 60;
const main = document.getElementById("main");
const chosenDataset = document.getElementById("dataset");
let pending = new AbortController();
let shown = { answers: "" }; // what the server said of what is shown, to tell whether it is news
let timer, isDue = false;

function followTheme() {
  // Airflow has a switch of its own; where this page is in its frame, it goes along
  try {
    if (window.parent === window) return;
    const outside = window.parent.document.documentElement;
    const follow = () => {
      const scheme = getComputedStyle(outside).colorScheme;
      document.documentElement.style.colorScheme = ["light", "dark"].includes(scheme) ? scheme : "";
    };
    new MutationObserver(follow).observe(outside, { attributes: true });
    follow();
  } catch {
    // another origin: the browser's own preference holds
  }
}

function followLanguage() {
  document.documentElement.lang = LANGUAGE;
  for (const it of document.querySelectorAll("[data-label]")) it.textContent = t(it.dataset.label);
  window.addEventListener("storage", (event) => event.key === "i18nextLng" && location.reload());
}

function place() {
  const linked = /^#problem-(\d+)$/.exec(location.hash); // as messages link to it
  const values = linked ? { problem: linked[1] } : Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  if (!(values.view in VIEWS)) values.view = "problems";
  const names = configuration.datasets.map((it) => it.name);
  const asked = new URLSearchParams(location.search).get("dag_id");
  const ofDag = configuration.datasets.find((it) => it.dag_id === asked)?.name;
  if (!names.includes(values.dataset)) values.dataset = ofDag ?? names[0];
  if (values.view === "articles" && !hasArticles(values.dataset)) values.view = "coverage";
  return values;
}

// Whether it has totals of articles that grow.
const hasArticles = (dataset) => configuration.datasets.find((it) => it.name === dataset)?.has_articles;

// Show another view, or the same with other values; what is empty is left out of the address.
function go(values, { replace = false } = {}) {
  const next = Object.entries({ ...place(), ...values }).filter(([, value]) => value !== "" && value != null && value !== false && value !== 0);
  const hash = `#${new URLSearchParams(next)}`;
  if (replace) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  return show();
}

async function show({ isNew = false, isRefresh = false } = {}) {
  pending.abort();
  pending = new AbortController();
  clearTimeout(timer);
  const { signal } = pending;
  const now = place();
  if (!isRefresh) announce(now, isNew);
  const answers = [];
  let isLoading = true; // what a view asks for later, on a click, is not ended by the next reading
  const asked = async (path, values) => {
    const found = await ask(path, values, isLoading ? signal : undefined);
    if (isLoading) answers.push(JSON.stringify(found));
    return found;
  };
  try {
    const view = await VIEWS[now.view]({ now, go, ask: asked });
    isLoading = false;
    if (signal.aborted) return;
    again(view.isAtWork);
    showRead(t("read_at", { time: clockTime() }));
    const answer = answers.join("\n");
    if (isRefresh && (answer === shown.answers || isInUse())) return;
    shown = { answers: answer };
    replace(view, isRefresh);
    if (isNew) say(t("loaded", { what: t(`view_${now.view}`) }));
  } catch (error) {
    if (signal.aborted || error.name === "AbortError") return;
    again(false);
    if (isRefresh && error instanceof Refusal && !error.isLogin) showRead(t("not_refreshed", { time: clockTime(), sentence: error.message }));
    else refuse(error);
    if (!(error instanceof Refusal)) throw error;
  } finally {
    if (!signal.aborted) main.setAttribute("aria-busy", "false");
  }
}

function announce(now, isNew) {
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === now.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    link.href = `#${new URLSearchParams({ view: link.dataset.view, dataset: now.dataset })}`;
    link.hidden = link.dataset.view === "articles" && !hasArticles(now.dataset);
  }
  document.getElementById("datasets").hidden = now.view === "problems" || configuration.datasets.length < 2;
  chosenDataset.value = now.dataset;
  document.title = `${t(`view_${now.view}`)} – ${t("title")}`;
  main.setAttribute("aria-busy", "true");
  if (isNew) main.replaceChildren(el("p", { class: "loading" }, t("loading")));
}

function refuse(error) {
  shown = { answers: "" };
  main.replaceChildren(el("section", { class: "notice bad", role: "alert" },
    el("h2", {}, t("error_title")), el("p", {}, error instanceof Refusal ? error.message : `${error}`),
    error.isLogin && el("p", {}, airflowLink(`/api/v2/auth/login?${new URLSearchParams({ next: location.href })}`, t("log_in"))),
    el("button", { type: "button", onclick: () => show({ isNew: true }) }, t("retry"))));
}

// ------------------------------------------------------------------------------------- refresh

function showRead(sentence) {
  const line = document.getElementById("read");
  line.hidden = false;
  line.firstElementChild.textContent = sentence;
}

// Read again in a while; not while nobody can see it.
function again(isAtWork) {
  isDue = false;
  timer = setTimeout(() => {
    if (document.hidden) isDue = true;
    else show({ isRefresh: true });
  }, 1000 * (isAtWork ? SECONDS_AT_WORK : SECONDS_AT_REST));
}

// Whether somebody has marked a text, or has typed one that is not taken yet: it would be lost.
function isInUse() {
  const marked = getSelection();
  const box = document.activeElement;
  return (!marked.isCollapsed && main.contains(marked.anchorNode))
    || (main.contains(box) && box.type === "search" && box.value !== box.defaultValue);
}

// The view in place of what is shown; on a refresh what is open, scrolled or focused stays so.
function replace(view, isRefresh) {
  const focused = document.activeElement;
  const way = main.contains(focused) ? wayTo(focused) : null;
  const open = [...main.querySelectorAll("details[open][id]")].map((it) => it.id);
  const sides = [...main.querySelectorAll(".scroll")].map((it) => it.scrollLeft);
  const top = window.scrollY;
  main.replaceChildren(...[view.nodes].flat().filter(Boolean));
  view.ready?.({ isRefresh });
  if (isRefresh) {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    main.querySelectorAll(".scroll").forEach((it, n) => it.scrollTo(sides[n] ?? 0, 0));
    window.scrollTo(window.scrollX, top);
  }
  const next = focused.id ? document.getElementById(focused.id) : isRefresh && way?.reduce((it, n) => it?.children[n], main);
  if (way && next?.tagName === focused.tagName) next.focus({ preventScroll: true });
  const box = document.activeElement;
  if (box?.type === "search") box.setSelectionRange(box.value.length, box.value.length);
}

function wayTo(element) {
  const way = [];
  for (let it = element; it !== main; it = it.parentElement) way.unshift([...it.parentElement.children].indexOf(it));
  return way;
}

// --------------------------------------------------------------------------------------- start

followTheme();
followLanguage();
window.addEventListener("hashchange", () => show({ isNew: true }));
window.addEventListener("popstate", () => show({ isNew: true }));
document.addEventListener("visibilitychange", () => !document.hidden && isDue && show({ isRefresh: true }));
document.getElementById("refresh").addEventListener("click", () => show({ isRefresh: true }));
chosenDataset.addEventListener("change", () => go({ dataset: chosenDataset.value, offset: "", appid: "", msgid: "" }));
for (const link of document.querySelectorAll("nav a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    history.pushState(null, "", link.href);
    show({ isNew: true });
  });
}
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
show({ isNew: true });
