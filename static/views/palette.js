/** One field for everything: agents to go to, commands to give, and what was said in any conversation. Fetched when it is opened. */
import { COMMANDS } from "../commands.js";
import { look as lookHere, search as searchHere } from "../find.js";
import { findHere, isFind } from "../keys.js";
import { forget, jump, look, lookFurther, matches, said } from "../palette.js";
import { closeSettings, view } from "../route.js";
import * as store from "../store.js";
import { select } from "../talk.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/ui.js";
import { folderName, nameOf, shown, stateOf, whenWords } from "../words.js";
import { Avatar, Doing, Icon, Modal } from "./parts.js";

/** Rows that Page up and Page down go by. */
const PAGE = 8;
/** Keys 1 to 9 go to the first agents. */
const NUMBERED = 9;

/**
 * One row. `act`: what choosing it does; `stays`: the palette stays open; `why`: it cannot be chosen, for this reason.
 * @typedef {{id: string, row: any, act: () => any, why?: string, stays?: boolean, anywhere?: boolean}} Choice
 */

export function Palette() {
  const [q, setQ] = useState(store.finding.value ? searchHere.value.q : "");
  const [chosen, setChosen] = useState("");
  const field = useRef(null);
  const groups = groupsOf(q.trim());
  const choices = groups.flatMap(([, those]) => those);
  const isLoading = said.value.isLoading;
  const active = choices.find(({ id }) => id === chosen) ?? choices.find(({ why }) => !why) ?? choices[0];
  useEffect(() => {
    field.current.select();
    look(q);
    return forget;
  }, []);
  useLayoutEffect(() => document.getElementById(`pal-${active?.id}`)?.scrollIntoView({ block: "nearest" }), [active?.id]);
  const type = ({ target }) => {
    setQ(target.value);
    setChosen("");
    look(target.value);
  };
  const choose = (choice) => {
    if (!choice || choice.why) return;
    // Whoever types fast means what is about to be found.
    if (choice.id === "here" && isLoading && !chosen) return;
    if (choice.stays) choice.act();
    else leaveAnd(choice);
  };
  const onKeyDown = (event) => {
    if (event.isComposing) return;
    const to = MOVES[event.key]?.(choices.indexOf(active), choices.length);
    if (to !== undefined) setChosen(choices[to]?.id ?? "");
    else if (event.key === "Enter") choose(active);
    else if (isFind(event)) hereOnly();
    else return;
    event.preventDefault();
    event.stopPropagation(); // the page's own keys would find the palette closed, and open it again
  };
  const hereOnly = () => store.current.value && leaveAnd(choiceOfHere(q.trim()));
  const option = (choice) => html`<${Option} key=${choice.id} choice=${choice} isActive=${choice === active} onChoose=${() => choose(choice)} onPoint=${() => setChosen(choice.id)} />`;
  return html`<${Modal} label="Find" onClose=${close}>
    <div class="palette">
      <div class="pal-field">
        <${Icon} name="search" />
        <input ref=${field} type="text" role="combobox" aria-label="Find agents, commands, and what was said" aria-expanded=${choices.length > 0} aria-controls="pal-list" aria-autocomplete="list" aria-activedescendant=${active ? `pal-${active.id}` : undefined}
          placeholder="Agents, commands, words said" autocomplete="off" autocapitalize="off" spellcheck=${false} enterkeyhint="go" maxlength="200" value=${q} onInput=${type} onKeyDown=${onKeyDown} />
        <button class="ibtn" aria-label="Close" title="Close (Esc)" onClick=${close}><${Icon} name="x" /></button>
      </div>
      <div class="pal-list" id="pal-list" role="listbox" aria-label="Found" hidden=${!choices.length}>
        ${groups.map(([words, those]) => html`<div key=${words} role="group" aria-label=${words}><div class="pal-hd" aria-hidden="true">${words}</div>${those.map(option)}</div>`)}
      </div>
      ${!choices.length && html`<p class="pal-list hint nothing">${isLoading ? "…" : "Nothing found: no agent and no command of that name, and nobody has said it."}</p>`}
      <p class="pal-foot" aria-hidden="true"><kbd>↑</kbd> <kbd>↓</kbd> choose · <kbd>Enter</kbd> open · <kbd>Esc</kbd> close</p>
      <p class=${said.value.fault ? "refusal" : "sr"} role="status">${told(choices.length)}</p>
    </div>
  <//>`;
}

/** Where a key leads in a list of so many. @type {Record<string, (at: number, count: number) => number>} */
const MOVES = {
  ArrowDown: (at, count) => (at + 1) % Math.max(1, count),
  ArrowUp: (at, count) => (at + count - 1) % Math.max(1, count),
  PageDown: (at, count) => Math.max(0, Math.min(count - 1, at + PAGE)),
  PageUp: (at) => Math.max(0, at - PAGE),
};

const close = () => (store.dialog.value = null);

/** The dialog gives the focus back before what was chosen takes it. @param {Choice} choice */
function leaveAnd({ act, anywhere }) {
  close();
  setTimeout(async () => {
    if (view.value === "settings" && !anywhere) {
      const gone = new Promise((resolve) => addEventListener("hashchange", resolve, { once: true }));
      closeSettings();
      if (view.value === "settings") await gone;
    }
    act();
  });
}

/** @param {number} count */
function told(count) {
  const { fault, isLoading } = said.value;
  if (fault) return `What was said could not be searched. ${fault}`;
  if (isLoading) return "Searching…";
  return count === 1 ? "1 found" : `${count || "Nothing"} found`;
}

/** What fits the words, in groups that are not empty. @param {string} q @returns {[string, Choice[]][]} */
function groupsOf(q) {
  const agents = store.sessions.value.map(agentChoice).filter(({ words }) => matches(q, words));
  const commands = COMMANDS.map(commandChoice).filter(({ words }) => matches(q, words));
  /** @type {[string, Choice[]][]} */
  const groups = [["Agents", agents], ["Commands", commands], ["Said", q ? saidChoices(q) : []]];
  return groups.filter(([, those]) => those.length);
}

/** @param {any} session @param {number} index */
function agentChoice(session, index) {
  const name = nameOf(session);
  const state = stateOf(session, store.voice.value, store.statusText.value[session.id]);
  const folder = folderName(session.dir);
  const row = html`<${Avatar} name=${name} id=${session.id} />
    <span class="pal-tx"><b>${name}</b> <small>${folder}</small></span>
    <span class="pal-st"><${Doing} state=${state} /></span>
    ${session.id === store.currentId.value ? html`<span class="tag">in view</span>` : index < NUMBERED && html`<kbd>${index + 1}</kbd>`}`;
  const act = () => {
    select(session.id);
    setTimeout(() => document.getElementById("log")?.focus()); // once it is drawn
  };
  return { id: `agent-${index}`, words: `${name} ${folder} ${state.words}`, row, act };
}

/** @param {import("../commands.js").Command} command */
function commandChoice({ id, icon, words, keys, act, why, anywhere }) {
  const [label, reason] = [words(), why?.() ?? ""];
  const row = html`<${Icon} name=${icon} size="s" /><span class="pal-tx">${label}${reason && html`<small>${reason}</small>`}</span>
    ${keys && html`<span class="pal-keys">${keys.map((key, i) => html`<kbd key=${i}>${key}</kbd>`)}</span>`}`;
  return { id, words: label, row, act, why: reason, anywhere };
}

/** @param {string} q @returns {Choice[]} */
function saidChoices(q) {
  const { hits, more, isLoading } = said.value;
  const found = hits.filter(({ session_id }) => store.sessionOf(session_id)).map(hitChoice);
  const rest = { id: "more", stays: true, act: lookFurther, row: html`<${Icon} name="chevron-down" size="s" /><span class="pal-tx">Show earlier ones</span>` };
  return [...found, ...(more && found.length ? [rest] : []), ...(store.current.value && (found.length || isLoading) ? [choiceOfHere(q)] : [])];
}

/** @param {string} q @returns {Choice} */
function choiceOfHere(q) {
  const row = html`<${Icon} name="search" size="s" /><span class="pal-tx">Find <q>${q}</q> in this conversation</span><span class="pal-keys"><kbd>Ctrl</kbd><kbd>K</kbd></span>`;
  const act = () => {
    findHere();
    lookHere(/** @type {any} */ (store.current.value).id, q);
  };
  return { id: "here", row, act };
}

const SPEAKERS = { user_text: "You", notice: "Notice", work: "Work", agent_message: "Message" };

/** @param {import("../palette.js").Hit} hit */
function hitChoice(hit) {
  const session = store.sessionOf(hit.session_id);
  const name = nameOf(session);
  const [before, words, after] = hit.excerpt.map(shown);
  const who = SPEAKERS[hit.type] ?? name;
  const row = html`<${Avatar} name=${name} id=${session.id} />
    <span class="pal-said"><span class="pal-who"><b>${name}</b>${who !== name && html`<span>${who}</span>`}<time>${whenWords(hit.ts, store.now.value)}</time></span>
    <span class="pal-words" dir="auto">${before}<mark>${words}</mark>${after}</span></span>`;
  return { id: `said-${hit.n}`, row, act: () => jump(hit) };
}

/** @param {{choice: Choice, isActive: boolean, onChoose: () => void, onPoint: () => void}} props */
function Option({ choice: { id, row, why }, isActive, onChoose, onPoint }) {
  return html`<div class="pal-row" id=${`pal-${id}`} data-choice=${id} role="option" aria-selected=${isActive} aria-disabled=${why ? "true" : undefined} onPointerMove=${isActive ? undefined : onPoint} onClick=${onChoose}>${row}</div>`;
}
