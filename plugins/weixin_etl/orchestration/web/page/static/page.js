// The parts of the page that need a script: following Airflow's theme and language, links out of its
// frame, copying, arrow keys in the calendar, no refresh while hidden, a notice if a refresh failed.

const root = document.documentElement;
const outside = window.parent === window ? null : window.parent.document;
root.classList.add("scripted");

// Inside Airflow's frame the page follows the theme that is chosen in Airflow.
function followTheme() {
  const scheme = getComputedStyle(outside.documentElement).colorScheme;
  root.style.colorScheme = ["light", "dark"].includes(scheme) ? scheme : "";
}

// Airflow stores its language in the browser; a cookie passes the language to the server.
function followLanguage() {
  const chosen = localStorage.getItem("i18nextLng");
  const wanted = chosen?.startsWith("zh") ? "zh-CN" : "en";
  if (!chosen || wanted === root.lang) return;
  document.cookie = `weixin_language=${wanted}; SameSite=Strict; path=${new URL(".", location).pathname}`;
  if (document.cookie.includes(`weixin_language=${wanted}`)) location.reload();
}

// The frame's sandbox keeps links inside and downloads nothing, so the click is made in Airflow's document.
function followLink(event) {
  const link = event.target.closest("a.airflow, a.file");
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
