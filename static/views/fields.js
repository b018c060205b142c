/** Every declared setting with the control that suits its type, saved when it is changed. What may be, the hub declares. */
import { ask } from "../notes.js";
import * as store from "../store.js";
import { html, useRef, useState } from "../vendor/ui.js";
import { folderName, nameOf, voiceName } from "../words.js";
import { VoiceOptions } from "./parts.js";
import { SERVERS, ServerTest } from "./server-test.js";

/** Kinds of settings, in the order they are shown. @type {[string, string][]} */
const GROUPS = [["speech", "Talking"], ["agents", "Agents"], ["models", "Speech models"]];
const UNITS = new Set(["seconds", "minutes"]);
/** Up to here a slider is finer than typing. */
const SLIDER_SPAN = 5;
const SLIDER_STEP = 0.05;
const SAVED_MS = 2500;

/** The quality has its cards, and the voices have their list. */
const ELSEWHERE = new Set(["speech.quality", "agents.voice"]);

/** What is set once and seldom comes last, behind the other sections. @param {{rows: any[]|null, fault: string, setRows: (rows: any[]) => void, projects: any[], children?: any}} props */
export function Fields({ rows, fault, setRows, projects, children }) {
  if (!rows) return html`<section class="card" aria-busy=${!fault}><p class="hint">${fault || "Reading the settings…"}</p></section>${fault && children}`;
  const shown = rows.filter(({ name }) => !ELSEWHERE.has(name));
  const field = (row) => html`<${Field} key=${row.name} row=${row} setRows=${setRows} projects=${projects} />`;
  return html`${GROUPS.map(([table, title]) => {
      const those = shown.filter((row) => row.name.startsWith(`${table}.`) && !isAdvanced(row));
      return those.length > 0 && html`<section class="card" key=${table} aria-labelledby=${`set-${table}`}><h2 id=${`set-${table}`}>${title}</h2><div class="rows">
        ${those.some(({ project }) => project) && html`<p class="hint">What is marked “per project” may be set otherwise by the file clawmux.toml in a project’s folder, for the agents that work there.</p>`}
        ${those.map(field)}
      </div></section>`;
    })}
    ${children}
    <details class="card more" data-part="servers">
      <summary><h2>Addresses and servers</h2></summary>
      <div class="rows">${shown.filter(isAdvanced).map(field)}</div>
    </details>`;
}

/** What is set once: free text, and what needs a new start of the hub. */
function isAdvanced({ live, type, choices }) {
  return !live || (type === "str" && !choices.length);
}

/** One after the other: two answers that overtake each other would show the older values. */
let saving = Promise.resolve();

/** @param {{row: any, setRows: (rows: any[]) => void, projects?: any[]}} props */
export function Field({ row, setRows, projects = [] }) {
  const [draft, setDraft] = useState(null);
  const [fault, setFault] = useState("");
  const [isSaved, setSaved] = useState(false);
  const timer = useRef(0);
  const save = (value) => {
    setDraft(value);
    setFault("");
    saving = saving.then(async () => {
      const rows = await ask("PUT", "/api/settings", { [row.name]: value }, (words) => setFault(plain(words, row.name)));
      if (!rows) return;
      setRows(rows);
      setDraft(null);
      tell(rows);
      setSaved(true);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => setSaved(false), SAVED_MS);
    });
  };
  const id = `set-${row.name}`;
  const facts = { id, row, value: draft ?? row.value, fault, save, setDraft };
  return html`<div class="row2" data-setting=${row.name}>
    <div class="t">
      <label for=${id}>${row.title}</label>${row.project && html`<span class="tag">per project</span>`}
      <p class="hint" id=${`${id}-help`}>${coded(row.help)} ${row.live ? "" : "Takes effect when ClawMux is started again."}</p>
      <p class="hint origin">${originOf(row)}${row.source === "config.toml" && html` <button class="link" onClick=${() => save(null)}>${row.default === "" && row.type === "str" && !row.choices.length ? "Empty it" : `Back to ${shownOf(row, row.default)}`}<span class="sr"> for ${row.title}</span></button>`}</p>
      <${Overrides} name=${row.name} projects=${projects} shown=${(value) => shownOf(row, value)} />
      ${fault && html`<p class="refusal" id=${`${id}-fault`} role="alert">${fault}</p>`}
    </div>
    <div class="control"><${Control} ...${facts} /><span class="saved" aria-live="polite">${isSaved ? "Saved" : ""}</span></div>
    ${SERVERS.has(row.name) && html`<${ServerTest} name=${row.name} title=${row.title} url=${String(draft ?? row.value)} />`}
  </div>`;
}

/** Which agents have it otherwise, by their project. @param {{name: string, projects: any[], shown: (value: any) => string}} props */
export function Overrides({ name, projects, shown }) {
  const those = projects.filter(({ values, session_id }) => name in values && store.sessionOf(session_id));
  return those.map(({ session_id, values, file }) => html`<p class="hint override" key=${session_id} title=${file}>
    For ${nameOf(store.sessionOf(session_id))}, the project ${folderName(file.replace(/[\\/][^\\/]*$/, ""))} sets <b>${shown(values[name])}</b>.
  </p>`);
}

/** The page knows some of them by its welcome. @param {any[]} rows */
function tell(rows) {
  const valueOf = (name) => rows.find((row) => row.name === name)?.value;
  store.settings.value = { ...store.settings.value, runtime: valueOf("agents.runtime"), auto_listen: valueOf("speech.auto_listen") };
}

/** The field stands beside it: its name need not be said again. @param {string} words @param {string} name */
function plain(words, name) {
  return words.split("\n")[0].replace(/^field: /, "").replace(`${name} = `, "");
}

/** Help is written for the command line, too: what stands between backticks is code. @param {string} words */
function coded(words) {
  return words.split("`").map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));
}

/** Where the value comes from, when that is not where one would think. */
function originOf({ source }) {
  if (source.startsWith("environment ")) return `From the environment variable ${source.slice(12)}, which counts again when ClawMux is started again.`;
  return source === "start of the hub" ? "As ClawMux was started." : "";
}

function Control({ id, row, value, fault, save, setDraft }) {
  const facts = {
    id, name: row.name, "aria-describedby": `${id}-help${fault ? ` ${id}-fault` : ""}`, "aria-invalid": fault ? "true" : undefined,
  };
  if (row.type === "bool") return html`<input ...${facts} class="sw" type="checkbox" role="switch" checked=${value} onChange=${({ target }) => save(target.checked)} />`;
  if (row.name === "agents.voice") {
    return html`<select ...${facts} value=${value} onChange=${({ target }) => save(target.value)}><option value="">The next free one</option><${VoiceOptions} voices=${store.voices.value} /></select>`;
  }
  if (row.choices.length) {
    return html`<select ...${facts} value=${value} onChange=${({ target }) => save(target.value)}>${optionsOf(row).map(([choice, words]) => html`<option key=${choice} value=${choice}>${words}</option>`)}</select>`;
  }
  const onInput = ({ target }) => setDraft(target.value);
  if (row.type === "str") {
    return html`<input ...${facts} type="text" value=${value} spellcheck=${false} autocomplete="off" autocapitalize="none" onInput=${onInput} onChange=${({ target }) => save(target.value)} />`;
  }
  if (row.type === "float" && row.high - row.low <= SLIDER_SPAN) {
    return html`<input ...${facts} type="range" min=${row.low} max=${row.high} step=${SLIDER_STEP} value=${value} onInput=${onInput} onChange=${({ target }) => save(Number(target.value))} aria-valuetext=${shownOf(row, value)} /><output for=${id}>${shownOf(row, value).replace(" seconds", " s")}</output>`;
  }
  return html`<input ...${facts} type="number" inputmode="decimal" min=${row.low} max=${row.high} step="any" value=${value} onInput=${onInput} onChange=${({ target }) => save(target.value === "" ? "" : Number(target.value))} />${unitOf(row) && html`<span class="unit">${unitOf(row)}</span>`}`;
}

function unitOf({ name }) {
  const last = name.split("_").at(-1);
  return UNITS.has(last) ? last : "";
}

function shownOf(row, value) {
  if (row.type === "bool") return value ? "on" : "off";
  if (row.choices.length) return optionsOf(row).find(([choice]) => choice === value)?.[1] ?? value;
  if (row.type === "str") return value || "nothing";
  return `${Number(value)}${unitOf(row) ? ` ${unitOf(row)}` : ""}`;
}

/** Languages and programs by their names, languages in the order of the names. @returns {[string, string][]} */
function optionsOf({ name, choices }) {
  if (name === "agents.runtime") return choices.map((choice) => [choice, programWords(choice)]);
  if (name === "agents.voice") return choices.map((choice) => [choice, choice ? voiceName(choice) : "the next free one"]);
  if (name !== "speech.language") return choices.map((choice) => [choice, choice]);
  const names = new Intl.DisplayNames(["en"], { type: "language" });
  const languages = choices.filter((code) => code !== "auto").map((code) => [code, names.of(code) ?? code]);
  return [["auto", "Whatever is heard"], ...languages.sort(([, a], [, b]) => a.localeCompare(b))];
}

/** @param {string} name */
function programWords(name) {
  const runtime = store.runtimes.value.find((other) => other.name === name);
  return runtime ? `${runtime.title}${runtime.available ? "" : ", not installed"}` : name;
}
