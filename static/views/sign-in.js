/** For a browser that is not in: how to get a link, and a field for the code of another device. Loaded when it is needed. */
import { pair } from "../api.js";
import { html, useState } from "../vendor/ui.js";

export function SignIn() {
  const [code, setCode] = useState("");
  const [fault, setFault] = useState("");
  const [isBusy, setBusy] = useState(false);
  const send = async (event) => {
    event.preventDefault();
    setBusy(true);
    setFault("");
    const refused = await pair(code.trim());
    // From the beginning: what was shown before belonged to another login.
    if (!refused) location.reload();
    setFault(refused);
    setBusy(false);
  };
  return html`<p>Run <code>clawmux open</code> and open the link it prints</p>
    <form class="signin" onSubmit=${send}>
      <label for="pair-code">or type the code that <code>clawmux phone</code> shows</label>
      <div><input id="pair-code" type="text" value=${code} maxlength="20" placeholder="XXXX-XXXX" autocomplete="one-time-code" autocapitalize="characters" spellcheck=${false} aria-invalid=${fault ? "true" : undefined} aria-describedby=${fault ? "pair-fault" : undefined} onInput=${({ target }) => setCode(target.value)} />
      <button class="btn primary" disabled=${isBusy || !code.trim()}>Pair</button></div>
      <p class="refusal" id="pair-fault" role="alert">${fault}</p>
    </form>`;
}
