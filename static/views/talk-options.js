/** How this device speaks and listens, over the dock: fetched when it is first opened. The settings show the same switches. */
import { player } from "../talk.js";
import * as store from "../store.js";
import { SPEEDS, changeSpeed, setOptions, speedWords } from "../transport.js";
import { html } from "../vendor/ui.js";
import { Icon } from "./parts.js";

/** `aside`: it is for the settings only. @type {{name: "talk_in"|"review"|"announce"|"keys", title: string, words: (isOn: boolean) => string, aside?: boolean}[]} */
export const SWITCHES = [
  { name: "talk_in", title: "Talk to interrupt", words: (isOn) => talkInWords(isOn, store.overhearing.value.echo) },
  { name: "review", title: "Review before sending", words: () => "What you say stands in the text box, to be corrected and sent" },
  {
    name: "announce",
    title: "Screen reader announces replies instead of voice",
    words: () => "Nothing is played here: your screen reader gets each reply as text, and the microphone opens by your hand only",
  },
  {
    name: "keys",
    title: "Single keys",
    words: (isOn) => (isOn ? "Space, letters and signs act while no text is being entered" : "Off: only Esc, and keys with Ctrl, act"),
    aside: true,
  },
];

/** @param {string} name @param {boolean} isOn */
export function turn(name, isOn) {
  setOptions({ [name]: isOn });
}

export function TalkOptions() {
  const { speed } = store.options.value;
  return html`<div class="opts">
    ${player.hasSpeed && html`<div class="opt" role="group" aria-label="Speaking speed">
      <span><b>Speed</b><small>Of every agent, on this device</small></span>
      <button class="ibtn" aria-label="Slower" disabled=${speed <= SPEEDS[0]} onClick=${() => changeSpeed(-1)}><${Icon} name="minus" /></button>
      <output data-show="speed">${speedWords(speed)}</output>
      <button class="ibtn" aria-label="Faster" disabled=${speed >= SPEEDS.at(-1)} onClick=${() => changeSpeed(1)}><${Icon} name="plus" /></button>
    </div>`}
    ${SWITCHES.filter(({ aside }) => !aside).map(({ name, title, words }) => html`<${Switch} key=${name} name=${name} on=${store.options.value[name]} title=${title} words=${words(store.options.value[name])} />`)}
  </div>`;
}

/** @param {boolean} isOn @param {"clear"|"echo"|null} echo */
function talkInWords(isOn, echo) {
  if (!isOn) return "Off: an agent that speaks is interrupted by a tap";
  if (echo === "echo") return "Not now: the microphone hears the loudspeaker. Headphones help";
  return echo === "clear" ? "An agent that speaks falls silent when you talk, in auto mode" : "In auto mode, after a check for echo while an agent speaks";
}

/** @param {{name: string, on: boolean, title: string, words: string}} props */
function Switch({ name, on, title, words }) {
  const id = `opt-${name}`;
  return html`<label class="opt" for=${id}>
    <span><b>${title}</b><small id=${`${id}-words`}>${words}</small></span>
    <input class="sw" type="checkbox" role="switch" id=${id} aria-label=${title} aria-describedby=${`${id}-words`} checked=${on} onChange=${({ target }) => turn(name, target.checked)} />
  </label>`;
}
