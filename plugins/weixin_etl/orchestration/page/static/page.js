// Which view is shown is in the address after #, so that it can be kept and sent.

import { ask, configuration, el, Refusal, say, t } from "./common.js";
import { articles } from "./articles.js";
import { coverage } from "./coverage.js";
import { problems } from "./problems.js";
import { runs } from "./runs.js";

const VIEWS = { problems, coverage, runs, articles };
const main = document.getElementById("main");
let pending = new AbortController();

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

function place() {
  const values = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  if (!(values.view in VIEWS)) values.view = "problems";
  const names = configuration.datasets.map((it) => it.name);
  const asked = new URLSearchParams(location.search).get("dag_id");
  const ofDag = configuration.datasets.find((it) => it.dag_id === asked)?.name;
  if (!names.includes(values.dataset)) values.dataset = ofDag ?? names[0];
  return values;
}

// Show another view, or the same with other values; what is empty is left out of the address.
function go(values, { replace = false } = {}) {
  const next = Object.entries({ ...place(), ...values }).filter(([, value]) => value !== "" && value != null && value !== false && value !== 0);
  const hash = `#${new URLSearchParams(next)}`;
  if (replace) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  return show();
}

async function show({ isNew = false } = {}) {
  pending.abort();
  pending = new AbortController();
  const { signal } = pending;
  const now = place();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === now.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    link.href = `#${new URLSearchParams({ view: link.dataset.view, dataset: now.dataset })}`;
  }
  document.getElementById("datasets").hidden = now.view === "problems" || configuration.datasets.length < 2;
  for (const input of document.querySelectorAll("input[name=dataset]")) input.checked = input.value === now.dataset;
  document.title = `${t(`view_${now.view}`)} – ${t("title")}`;
  main.setAttribute("aria-busy", "true");
  if (isNew) main.replaceChildren(el("p", { class: "loading" }, t("loading")));
  const focused = document.activeElement?.id;
  try {
    const shown = await VIEWS[now.view]({ now, go, ask: (path, values) => ask(path, values, signal) });
    if (signal.aborted) return;
    main.replaceChildren(...[shown.nodes].flat().filter(Boolean));
    shown.ready?.();
    if (focused) document.getElementById(focused)?.focus();
    const box = document.activeElement;
    if (box?.type === "search") box.setSelectionRange(box.value.length, box.value.length);
    if (isNew) say(t("loaded", { what: t(`view_${now.view}`) }));
  } catch (error) {
    if (signal.aborted || error.name === "AbortError") return;
    const sentence = error instanceof Refusal ? error.message : `${error}`;
    main.replaceChildren(el("section", { class: "notice bad", role: "alert" },
      el("h2", {}, t("error_title")), el("p", {}, sentence),
      el("button", { type: "button", onclick: () => show({ isNew: true }) }, t("retry"))));
    if (!(error instanceof Refusal)) throw error;
  } finally {
    if (!signal.aborted) main.setAttribute("aria-busy", "false");
  }
}

followTheme();
window.addEventListener("hashchange", () => show({ isNew: true }));
window.addEventListener("popstate", () => show({ isNew: true }));
for (const input of document.querySelectorAll("input[name=dataset]")) {
  input.addEventListener("change", () => go({ dataset: input.value, offset: "", appid: "", msgid: "" }));
}
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
