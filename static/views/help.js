/** The keys, in one overlay. The list itself lies in keys.js, beside what the keys do. */
import { HELP } from "../keys.js";
import * as store from "../store.js";
import { setOptions } from "../transport.js";
import { html } from "../vendor/ui.js";
import { Modal } from "./parts.js";

export function Help() {
  return html`<${Modal} label="Keyboard help" onClose=${() => (store.dialog.value = null)}>
    <h2>Keys</h2>
    <label class="opt"><span><b>Single keys</b><small>They act while no text is being entered, on this device</small></span>
      <input class="sw" type="checkbox" role="switch" aria-label="Single keys" checked=${store.options.value.keys} onChange=${({ target }) => setOptions({ keys: target.checked })} />
    </label>
    <dl class="keylist">
      ${HELP.map(([keys, words]) => html`<div><dt>${keys.map((key) => html`<kbd>${key}</kbd>`)}</dt><dd>${words}</dd></div>`)}
    </dl>
    <div class="modal-foot"><button class="btn primary" autofocus onClick=${() => (store.dialog.value = null)}>Close</button></div>
  <//>`;
}
