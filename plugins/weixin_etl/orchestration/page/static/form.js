// What to enter into a DAG's form, and the run itself: by Airflow's own API.

import { addDays, airflowLink, copyButton, dagId, el, runLink, t, trigger } from "./common.js";

const FIELDS = ["begin_date", "end_date", "accounts"];

// The forms that ask for some days of some accounts, and for no others: one per range of days.
export function formsOf(pairs) {
  const days = Map.groupBy(pairs, (it) => it.appid);
  const ranges = [...days].flatMap(([appid, those]) => {
    const found = [];
    for (const day of those.map((it) => it.day).sort()) {
      if (found.at(-1)?.end_date === addDays(day, -1)) found.at(-1).end_date = day;
      else found.push({ begin_date: day, end_date: day, appid });
    }
    return found;
  });
  const alike = Map.groupBy(ranges, (it) => `${it.begin_date} ${it.end_date}`);
  return [...alike.values()].map((those) => ({
    begin_date: those[0].begin_date, end_date: those[0].end_date, accounts: those.map((it) => it.appid),
  }));
}

// A form that can be copied, or triggered.
export function form(dataset, values) {
  const conf = { ...values };
  const said = el("p", { class: "said", role: "status" });
  const run = async (event) => {
    event.target.disabled = true;
    try {
      const runId = await trigger(dataset, conf);
      said.replaceChildren(t("triggered"), " ", runLink(dagId(dataset), runId, t("open_run")));
    } catch (error) {
      said.replaceChildren(error.message);
      event.target.disabled = false;
    }
  };
  const copy = el("span", {}, copyButton(JSON.stringify(conf), t("copy_conf")));
  const refetch = (event) => {
    if (event.target.checked) conf.refetch = true;
    else delete conf.refetch;
    copy.replaceChildren(copyButton(JSON.stringify(conf), t("copy_conf")));
  };
  return el("div", { class: "form" },
    el("dl", {}, FIELDS.map((name) => {
      const value = [conf[name]].flat().join(", ");
      return el("div", {}, el("dt", {}, t(`field_${name}`)), el("dd", {}, el("code", {}, value), copyButton(value)));
    })),
    el("label", { class: "check" }, el("input", { type: "checkbox", checked: conf.refetch, onchange: refetch }), el("span", {}, t("field_refetch"))),
    said,
    el("p", { class: "actions" },
      el("button", { type: "button", onclick: run }, t("trigger")), copy,
      airflowLink(`/dags/${encodeURIComponent(dagId(dataset))}`, t("open_dag"))));
}
