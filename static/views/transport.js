/** Beside what the dock says now: pause and skip while an agent speaks, and the way to the options of this device. */
import * as store from "../store.js";
import { pauseOrResume, skip, speedWords } from "../transport.js";
import { html, useState } from "../vendor/ui.js";
import { Fetched, Icon } from "./parts.js";

const load = () => import("./talk-options.js").then(({ TalkOptions }) => TalkOptions);

export function Transport() {
  const { mode, stream } = store.voice.value;
  const isPaused = mode === "paused";
  const sounds = stream && (mode === "speaking" || isPaused);
  return html`<div class="transport">
    ${sounds && html`<button key="pause" class="ibtn" data-do="pause" aria-label=${isPaused ? "Go on" : "Pause"} title=${isPaused ? "Go on (.)" : "Pause (.)"} onClick=${pauseOrResume}>
        <${Icon} name=${isPaused ? "play" : "pause"} />
      </button>
      <button key="skip" class="ibtn" data-do="skip" aria-label="Skip the rest" title="Skip the rest (Esc)" onClick=${skip}><${Icon} name="skip-forward" /></button>`}
    <${Options} />
  </div>`;
}

function Options() {
  const [isOpen, setOpen] = useState(false);
  const { speed } = store.options.value;
  return html`<button class="ibtn" data-open="talk-options" popovertarget="talk-options" aria-label=${`Talk options, speed ${speedWords(speed)}`} title="Talk options">
      ${speed === 1 ? html`<${Icon} name="sliders-horizontal" />` : html`<b class="speed">${speedWords(speed)}</b>`}
    </button>
    <div class="menu talk-options" id="talk-options" popover="auto" role="group" aria-label="Talk options" onToggle=${(event) => setOpen(event.newState === "open")}>
      ${isOpen && html`<${Fetched} id="talk-options-in" load=${load} what="The options" />`}
    </div>`;
}
