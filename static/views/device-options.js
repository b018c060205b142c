/** What of talking belongs to this device alone: kept in this browser. */
import * as store from "../store.js";
import { player } from "../talk.js";
import { SPEEDS, changeSpeed, speedWords } from "../transport.js";
import { html } from "../vendor/ui.js";
import { Icon } from "./parts.js";
import { SWITCHES, turn } from "./talk-options.js";

export function DeviceOptions() {
  const options = store.options.value;
  return html`<section class="card" aria-labelledby="device">
    <h2 id="device">On this device</h2>
    <div class="rows">
      ${player.hasSpeed && html`<div class="row2">
        <div class="t"><b class="label" id="device-speed">Speed</b><p class="hint">Of every agent, beside what is set for all devices.</p></div>
        <div class="control" role="group" aria-labelledby="device-speed">
          <button class="ibtn" aria-label="Slower" disabled=${options.speed <= SPEEDS[0]} onClick=${() => changeSpeed(-1)}><${Icon} name="minus" /></button>
          <output>${speedWords(options.speed)}</output>
          <button class="ibtn" aria-label="Faster" disabled=${options.speed >= SPEEDS.at(-1)} onClick=${() => changeSpeed(1)}><${Icon} name="plus" /></button>
        </div>
      </div>`}
      ${SWITCHES.map(({ name, title, words }) => html`<div class="row2" key=${name} data-option=${name}>
        <div class="t"><label for=${`device-${name}`}>${title}</label><p class="hint" id=${`device-${name}-help`}>${words(options[name])}</p></div>
        <div class="control"><input class="sw" type="checkbox" role="switch" id=${`device-${name}`} aria-describedby=${`device-${name}-help`} checked=${options[name]} onChange=${({ target }) => turn(name, target.checked)} /></div>
      </div>`)}
    </div>
  </section>`;
}
