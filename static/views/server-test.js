/** A button beside the address of a speech server: tries what stands in the field, before it is saved, and says what came of it. */
import { ask } from "../notes.js";
import { html, useState } from "../vendor/ui.js";
import { Icon } from "./parts.js";

/** Settings that are addresses of such servers, and whom they serve. */
export const SERVERS = new Set(["speech.whisper_url", "speech.kokoro_url"]);

/** @param {{name: string, title: string, url: string}} props */
export function ServerTest({ name, title, url }) {
  const [state, setState] = useState({ url: "", isBusy: false, found: null, fault: "" });
  const test = async () => {
    setState({ url, isBusy: true, found: null, fault: "" });
    let fault = "";
    const found = await ask("POST", "/api/speech/test", { name, url }, (words) => (fault = words));
    setState({ url, isBusy: false, found, fault });
  };
  // What was found out says nothing of another address.
  const { isBusy, found, fault } = state.url === url ? state : { isBusy: false, found: null, fault: "" };
  return html`<div class="servertest">
    <button class="btn" data-do="test" disabled=${!url.trim() || isBusy} onClick=${test} aria-label=${`Test: ${title}`}>${isBusy ? "Testing…" : "Test"}</button>
    <div role="status">
      ${fault && html`<p class="told bad"><${Icon} name="triangle-alert" size="s" /><span>${fault}</span></p>`}
      ${found && html`<p class=${`told ${found.ok ? "good" : "bad"}`}><${Icon} name=${found.ok ? "check" : "triangle-alert"} size="s" /><span>${found.ok ? goodWords(found) : `${found.text} ${found.remedy}`}</span></p>`}
    </div>
  </div>`;
}

/** @param {any} found */
function goodWords({ text, models, connect_ms, work_ms }) {
  const those = models.length ? ` Models: ${models.join(", ")}.` : "";
  return `It answers in ${connect_ms} ms. ${text} That took ${work_ms} ms.${those}`;
}
