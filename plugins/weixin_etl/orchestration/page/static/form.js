// What to enter into a DAG's form, the plan of such a run, and the run itself: by Airflow's own API.

import { addDays, airflowLink, copyButton, dagId, el, facts, number, runLink, t, trigger } from "./common.js";

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

// A form that can be copied, or triggered once its plan is shown.
export function form(dataset, values, ask) {
  const conf = { ...values };
  const plan = el("p", { class: "plan", role: "status" });
  const actions = el("p", { class: "actions" });
  const look = async () => {
    plan.replaceChildren(t("loading"));
    actions.replaceChildren();
    try {
      const found = await ask("plan", {
        dataset, begin: conf.begin_date, end: conf.end_date, accounts: conf.accounts.join(","), refetch: conf.refetch,
      });
      plan.replaceChildren(found.refusal || inShort(found));
      actions.replaceChildren(
        el("button", { type: "button", disabled: !found.calls, onclick: run }, t("trigger")),
        copyButton(JSON.stringify(conf), t("copy_conf")),
        airflowLink(`/dags/${encodeURIComponent(dagId(dataset))}`, t("open_dag")));
    } catch (error) {
      plan.replaceChildren(error.message);
    }
  };
  const run = async (event) => {
    event.target.disabled = true;
    try {
      const runId = await trigger(dataset, conf);
      plan.replaceChildren(t("triggered"), " ", runLink(dagId(dataset), runId, t("open_run")));
    } catch (error) {
      plan.replaceChildren(error.message);
      event.target.disabled = false;
    }
  };
  const refetch = (event) => {
    if (event.target.checked) conf.refetch = true;
    else delete conf.refetch;
    look();
  };
  look();
  return el("div", { class: "form" },
    el("dl", {}, FIELDS.map((name) => {
      const value = [conf[name]].flat().join(", ");
      return el("div", {}, el("dt", {}, t(`field_${name}`)), el("dd", {}, el("code", {}, value), copyButton(value)));
    })),
    el("label", { class: "check" }, el("input", { type: "checkbox", checked: conf.refetch, onchange: refetch }), el("span", {}, t("field_refetch"))),
    plan, actions);
}

const inShort = (plan) => facts(
  t("plan_calls", { count: number(plan.calls) }),
  plan.calls > 0 && t("plan_minutes", { count: number(plan.minutes) }),
  plan.final > 0 && t("plan_final", { count: number(plan.final) }),
  plan.held_back > 0 && t("plan_held_back", { count: number(plan.held_back) }),
  plan.further_days > 0 && t("plan_further_days", { count: number(plan.further_days) }));
