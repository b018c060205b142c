/** Over the conversation: whose it is, what the agent does, and what can be opened beside it. */
import { findHere, openPalette } from "../keys.js";
import { open, openSettings, toggle } from "../route.js";
import * as store from "../store.js";
import { interrupt, toggleMessages } from "../talk.js";
import { html } from "../vendor/ui.js";
import { evidence, folderName, isWorking, nameOf, stateOf } from "../words.js";
import { askToClose } from "./agents.js";
import { Doing, Icon } from "./parts.js";

/**
 * The buttons at the right. `wide`: there is room for it on a wide screen only.
 * @type {{open: import("../route.js").View, icon: string, words: string, key: string, act?: () => void, wide?: boolean, ofAgent?: boolean}[]}
 */
const TOOLS = [
  { open: "terminal", icon: "terminal", words: "Terminal of this agent", key: "`", ofAgent: true },
  { open: "changes", icon: "git-compare", words: "Changes in its folder", key: "D", wide: true, ofAgent: true },
  { open: "messages", icon: "message-square", words: "Messages between agents", key: "L", act: toggleMessages },
];

/**
 * What stands under "More", from the top. `ofAgent`: only where there is an agent.
 * @type {{name: string, icon: string, words: (session: any) => string, key?: string, act: (session: any) => void, ofAgent?: boolean}[]}
 */
const MORE = [
  { name: "find-all", icon: "search", words: () => "Find anything", key: "Ctrl K", act: openPalette },
  { name: "find", icon: "search", words: () => "Find in this conversation", key: "Ctrl K K", act: findHere, ofAgent: true },
  { name: "export-markdown", icon: "download", words: () => "Export as Markdown", act: ({ id }) => saveConversation(id, "markdown"), ofAgent: true },
  { name: "export-json", icon: "download", words: () => "Export as JSON", act: ({ id }) => saveConversation(id, "json"), ofAgent: true },
  { name: "debug", icon: "activity", words: () => "Debug", key: "B", act: () => open("debug") },
  { name: "help", icon: "keyboard", words: () => "Keyboard help", key: "?", act: () => (store.dialog.value = { view: "help" }) },
  { name: "settings", icon: "settings", words: () => "Settings", key: ",", act: openSettings },
  { name: "close-agent", icon: "x", words: (session) => `Close ${nameOf(session)}`, act: ({ id }) => askToClose(id), ofAgent: true },
];

/** @param {string} id @param {"markdown"|"json"} format */
export async function saveConversation(id, format) {
  (await import("../export.js")).exportConversation(id, format);
}

export function Header() {
  const session = store.current.value;
  const tools = TOOLS.filter(({ ofAgent }) => session || !ofAgent);
  return html`<header class="head">
    ${session ? html`<${Whose} session=${session} />` : html`<h1>ClawMux</h1>`}
    <span class="sp"></span>
    ${tools.map((tool) => html`<${Tool} key=${tool.open} tool=${tool} />`)}
    <${More} session=${session} />
  </header>`;
}

/** @param {{session: any}} props */
function Whose({ session }) {
  const state = stateOf(session, store.voice.value, store.statusText.value[session.id]);
  return html`<h1>${nameOf(session)}</h1>
    <span class="pill" title=${evidence(session)}><${Doing} state=${state} /></span>
    ${isWorking(session) && html`<${Interrupt} session=${session} />`}
    <span class="hint where" title=${session.dir}>${[folderName(session.dir), session.runtime].filter(Boolean).join(" · ")}</span>`;
}

/** @param {{session: any}} props */
function Interrupt({ session }) {
  const isAsked = store.interrupting.value.has(session.id);
  return html`<button class="btn small stop" data-do="interrupt" disabled=${isAsked} aria-label=${`Interrupt ${nameOf(session)}`} onClick=${() => interrupt(session.id)}>
    <${Icon} name="square" size="s" /><span>${isAsked ? "Stopping…" : "Interrupt"}</span>
  </button>`;
}

/** @param {{tool: typeof TOOLS[number]}} props */
function Tool({ tool: { open: place, icon, words, key, act = () => toggle(place), wide } }) {
  return html`<button class="ibtn" data-open=${place} data-wide=${wide ? "" : undefined} aria-label=${words} title=${`${words} (${key})`} onClick=${act}>
    <${Icon} name=${icon} />
  </button>`;
}

/** @param {{session: any}} props */
function More({ session }) {
  const items = MORE.filter(({ ofAgent }) => session || !ofAgent);
  const choose = (event, act) => {
    event.currentTarget.closest("[popover]").hidePopover(); // first, so that the focus is back before another view takes it
    act(session);
  };
  return html`<button class="ibtn" data-open="more" popovertarget="more" aria-label="More" title="More"><${Icon} name="ellipsis" /></button>
    <div class="menu" id="more" popover="auto">
      ${items.map(({ name, icon, words, key, act }) => html`<button key=${name} data-do=${name} onClick=${(event) => choose(event, act)}>
        <${Icon} name=${icon} size="s" /><span>${words(session)}</span>${key && html`<kbd>${key}</kbd>`}
      </button>`)}
    </div>`;
}
