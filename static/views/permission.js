/** What stands over the dock while the agent in view cannot go on without the user: a permission to give, or its terminal. */
import { ask } from "../notes.js";
import { openTerminal, view } from "../route.js";
import * as store from "../store.js";
import { html, useEffect, useState } from "../vendor/ui.js";
import { nameOf, terminalQuestion, undisguised } from "../words.js";
import { Age, Icon } from "./parts.js";

/** A press that was meant for the question before must not answer this one. */
const SETTLE_MS = 500;

export function Blocked() {
  const session = store.current.value;
  if (!session || session.state === "dead") return null;
  const { permission } = session;
  if (permission) return html`<${Permission} key=${permission.request || permission.text} session=${session} permission=${permission} />`;
  const words = terminalQuestion(session);
  if (!words) return null;
  return html`<section class="ask" aria-label=${`${nameOf(session)} needs you`} data-card="terminal">
    <p class="ask-hd"><${Icon} name="terminal" size="s" /><b>${nameOf(session)} waits in its terminal</b></p>
    <p class="asked">${undisguised(words)}</p>
    <${InTerminal} session=${session} />
  </section>`;
}

/** @param {{session: any, permission: {request: string, tool: string, text: string, decidable: boolean}}} props */
function Permission({ session, permission }) {
  const [isSettled, setSettled] = useState(false);
  const [sent, setSent] = useState("");
  const [why, setWhy] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSettled(true), SETTLE_MS);
    return () => clearTimeout(timer);
  }, []);
  const name = nameOf(session);
  const decide = async (/** @type {boolean} */ allow) => {
    setSent(allow ? "Approving…" : "Denying…");
    const path = `/api/sessions/${encodeURIComponent(session.id)}/permission`;
    const done = await ask("POST", path, { request: permission.request, allow, text: allow ? "" : why.trim() });
    // What was decided leaves the screen with the session's next state; a refusal may be tried again.
    if (!done) setSent("");
  };
  const wait = !isSettled || Boolean(sent);
  return html`<section class="ask" aria-label=${`${name} asks for permission`} data-card="permission" data-request=${permission.request}>
    <p class="ask-hd">
      <${Icon} name="shield" size="s" /><b>${name} wants to use ${undisguised(permission.tool) || "a tool"}</b>
      ${session.doing?.since && html`<span class="when">asked <${Age} since=${session.doing.since} /> ago</span>`}
    </p>
    ${permission.text && html`<pre class="asked" tabindex="0" role="region" aria-label="What it asks for">${undisguised(permission.text)}</pre>`}
    ${permission.decidable
      ? html`<div class="ask-do">
          <input type="text" aria-label=${`Why not, for ${name}`} placeholder="If not: why? (optional)" maxlength="2000" value=${why} onInput=${(event) => setWhy(event.target.value)} />
          <button class="btn" data-do="deny" disabled=${wait} onClick=${() => decide(false)}>${sent === "Denying…" ? sent : "Deny"}</button>
          <button class="btn primary" data-do="approve" disabled=${wait} onClick=${() => decide(true)}>${sent === "Approving…" ? sent : "Approve"}</button>
        </div>`
      : html`<${InTerminal} session=${session} />`}
  </section>`;
}

/** @param {{session: any}} props */
function InTerminal({ session }) {
  return html`<div class="ask-do">
    <p class="hint">Only its terminal can answer this, here or in a shell: run <code>clawmux attach ${session.name || session.id}</code>.</p>
    ${view.value !== "terminal" && html`<button class="btn primary" data-do="terminal" onClick=${openTerminal}><${Icon} name="terminal" size="s" />Open its terminal</button>`}
  </div>`;
}
