/** The dialog that starts an agent: who, with which program, in which folder. */
import { ask } from "../notes.js";
import * as store from "../store.js";
import { select } from "../talk.js";
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { Modal, VoiceOptions, loadChoices } from "./parts.js";

export function NewAgent() {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState("");
  const begun = useRef("");
  const leave = () => (store.dialog.value = null);
  // There Space talks with the new agent; on the button that opened the dialog it would start another.
  const row = () => begun.current && document.querySelector(`[data-session="${CSS.escape(begun.current)}"] .row`);
  useEffect(() => void loadChoices(), []);
  const begin = async (event) => {
    event.preventDefault();
    setBusy(true);
    setRefusal("");
    const session = await ask("POST", "/api/sessions", wanted(new FormData(event.target)), setRefusal);
    setBusy(false);
    if (!session) return;
    leave();
    store.apply({ type: "session_status", session_id: session.id, session });
    select(session.id);
    begun.current = session.id;
  };
  const taken = new Set(store.sessions.value.map(({ voice }) => voice));
  const runtimes = store.runtimes.value;
  const usual = runtimes.find(({ name }) => name === store.settings.value.runtime);
  // A choice that would be refused is not offered: another program that is there stands in for it.
  const instead = usual?.available === false ? runtimes.find(({ name, available }) => available && name !== "shell") : null;
  return html`<${Modal} label="New agent" onClose=${leave} returnTo=${row}>
    <form onSubmit=${begin}>
      <h2>New agent</h2>
      <label class="field"><span>Voice</span>
        <select name="voice">
          <option value="">Next free voice</option>
          <${VoiceOptions} voices=${store.voices.value} taken=${taken} />
        </select>
      </label>
      <label class="field"><span>Name <small>optional</small></span>
        <input name="name" maxlength="32" autocomplete="off" autocapitalize="none" placeholder="As the voice" />
      </label>
      <label class="field"><span>Program</span>
        <select name="runtime">
          <option value="" disabled=${Boolean(instead)}>As in the settings${usual ? ` (${usual.title}${usual.available ? "" : ", not installed"})` : ""}</option>
          ${runtimes.map(
            ({ name, title, available, reason }) =>
              html`<option key=${name} value=${name} disabled=${!available} selected=${name === instead?.name}>${title}${available ? "" : ` (${reason})`}</option>`,
          )}
        </select>
      </label>
      <label class="field"><span>Folder <small>optional</small></span>
        <input name="dir" autocomplete="off" spellcheck=${false} placeholder="ClawMux’s own workspace" />
      </label>
      ${refusal && html`<p class="refusal" role="alert">${refusal}</p>`}
      <div class="modal-foot">
        <button type="button" class="btn" onClick=${leave}>Cancel</button>
        <button class="btn primary" disabled=${busy}>${busy ? "Starting…" : "Start agent"}</button>
      </div>
    </form>
  <//>`;
}

/** Empty fields are left out: the hub has its own choice for them. @param {FormData} form */
function wanted(form) {
  return Object.fromEntries([...form].map(([name, value]) => [name, String(value).trim()]).filter(([, value]) => value));
}
