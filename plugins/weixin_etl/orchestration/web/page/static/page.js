// What HTML can't do: follow Airflow's theme and language, lead out of its frame, copy, walk the
// calendar by arrow keys, rest while nobody looks, and say that the page could not be refreshed.

const root = document.documentElement;
const outside = window.parent === window ? null : window.parent.document;
root.classList.add("scripted");

// Airflow has a switch of its own; in its frame the page goes along.
function followTheme() {
  const scheme = getComputedStyle(outside.documentElement).colorScheme;
  root.style.colorScheme = ["light", "dark"].includes(scheme) ? scheme : "";
}

// Airflow keeps its language in the browser: the server is told by a cookie.
function followLanguage() {
  const chosen = localStorage.getItem("i18nextLng");
  const wanted = chosen?.startsWith("zh") ? "zh-CN" : "en";
  if (!chosen || wanted === root.lang) return;
  document.cookie = `weixin_language=${wanted}; SameSite=Strict; path=${new URL(".", location).pathname}`;
  if (document.cookie.includes(`weixin_language=${wanted}`)) location.reload();
}

// The sandbox lets a link lead into the frame only: the click is made in Airflow's own document.
function followLink(event) {
  const link = event.target.closest("a.airflow");
  if (!outside || !link || event.button > 1) return;
  event.preventDefault();
  const copy = outside.createElement("a");
  copy.href = link.href;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button === 1) copy.target = "_blank";
  outside.body.append(copy);
  copy.click();
  copy.remove();
}

function copyText(event) {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  getSelection().selectAllChildren(document.getElementById(button.dataset.copies));
  if (document.execCommand("copy")) button.textContent = button.dataset.copied;
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function walk(event) {
  const cell = event.target.closest(".calendar td");
  if (!cell || !(event.key in STEPS)) return;
  event.preventDefault();
  const [across, down] = STEPS[event.key];
  const row = cell.parentElement.parentElement.rows[cell.parentElement.sectionRowIndex + down];
  row?.cells[cell.cellIndex + across]?.querySelector("a")?.focus();
}

const isStale = () => { document.getElementById("stale").hidden = false; };

if (outside) {
  new MutationObserver(followTheme).observe(outside.documentElement, { attributes: true });
  followTheme();
}
followLanguage();
window.addEventListener("storage", followLanguage);
document.addEventListener("click", followLink);
document.addEventListener("auxclick", followLink);
document.addEventListener("click", copyText);
document.addEventListener("keydown", walk);
document.addEventListener("htmx:before:request", (event) => document.hidden && event.preventDefault());
document.addEventListener("visibilitychange", () => document.hidden || htmx.trigger("#page", "awake"));
document.addEventListener("htmx:error", isStale);
document.addEventListener("htmx:response:error", isStale);
document.addEventListener("htmx:before:swap", (event) => {
  if (!event.detail.ctx.response?.raw.redirected) return; // to the login
  event.preventDefault();
  isStale();
});
