/** How this device speaks and listens, over the dock: fetched when it is first opened. */
import { player } from "../talk.js";
import * as store from "../store.js";
import { SPEEDS, changeSpeed, setOptions, speedWords } from "../transport.js";
import { html } from "../vendor/ui.js";
import { Icon } from "./parts.js";

export function TalkOptions() {
  const { speed, review, talk_in } = store.options.value;
  return html`<div class="opts">
    ${player.hasSpeed && html`<div class="opt" role="group" aria-label="Speaking speed">
      <span><b>Speed</b><small>Of every agent, on this device</small></span>
      <button class="ibtn" aria-label="Slower" disabled=${speed <= SPEEDS[0]} onClick=${() => changeSpeed(-1)}><${Icon} name="minus" /></button>
      <output data-show="speed">${speedWords(speed)}</output>
      <button class="ibtn" aria-label="Faster" disabled=${speed >= SPEEDS.at(-1)} onClick=${() => changeSpeed(1)}><${Icon} name="plus" /></button>
    </div>`}
    <${Switch} name="talk_in" on=${talk_in} title="Talk to interrupt" words=${talkInWords(talk_in, store.overhearing.value.echo)} />
    <${Switch} name="review" on=${review} title="Review before sending" words="What you say stands in the text box, to be corrected and sent" />
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
    <input class="sw" type="checkbox" role="switch" id=${id} aria-label=${title} aria-describedby=${`${id}-words`} checked=${on} onChange=${({ target }) => setOptions({ [name]: target.checked })} />
  </label>`;
}
