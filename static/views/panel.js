/** Beside the conversation where there is room, else over it: one of three tabs, each fetched when it is first opened. */
import { closePanel, open, view } from "../route.js";
import { html, useEffect, useRef } from "../vendor/ui.js";
import { Fetched, Icon, Ongoing } from "./parts.js";

/** @type {{id: import("../route.js").View, words: string, load: () => Promise<any>}[]} */
const TABS = [
  { id: "messages", words: "Messages", load: () => import("./messages.js").then(({ Messages }) => Messages) },
  { id: "changes", words: "Changes", load: () => import("./changes.js").then(({ Changes }) => Changes) },
  { id: "debug", words: "Debug", load: () => import("./debug.js").then(({ Debug }) => Debug) },
];

const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

export function Panel() {
  const tab = TABS.find(({ id }) => id === view.value);
  const body = useRef(null);
  useEffect(() => body.current?.focus({ preventScroll: true }), []);
  if (!tab) return null;
  const onKeyDown = (event) => {
    const { type, value, readOnly } = event.target;
    // A search box that holds words is emptied first, and a text that was begun stays in view.
    if (event.key !== "Escape" || (value && !readOnly && ["search", "textarea"].includes(type))) return;
    event.stopPropagation();
    closePanel();
  };
  return html`<aside class="panel" aria-label="Panel" onKeyDown=${onKeyDown}>
    <header class="phead">
      <${Tabs} chosen=${tab.id} />
      <button class="ibtn" aria-label="Close panel" title="Close panel (Esc)" onClick=${closePanel}><${Icon} name="x" /></button>
    </header>
    <div class="pbody" ref=${body} id="tabpanel" role="tabpanel" tabindex="-1" aria-labelledby=${`tab-${tab.id}`}>
      <${Fetched} key=${tab.id} load=${tab.load} what=${tab.words} />
    </div>
    <${Ongoing} back=${closePanel} />
  </aside>`;
}

/** @param {{chosen: string}} props */
function Tabs({ chosen }) {
  const onKeyDown = (event) => {
    const by = STEPS[event.key];
    if (!by) return;
    const at = TABS.findIndex(({ id }) => id === chosen);
    const { id } = TABS[(at + by + TABS.length) % TABS.length];
    open(id);
    document.getElementById(`tab-${id}`)?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label="Panel" onKeyDown=${onKeyDown}>
    ${TABS.map(({ id, words }) => html`<button key=${id} id=${`tab-${id}`} role="tab" aria-selected=${id === chosen} aria-controls=${id === chosen ? "tabpanel" : undefined} tabindex=${id === chosen ? 0 : -1} onClick=${() => open(id)}>${words}</button>`)}
  </div>`;
}
