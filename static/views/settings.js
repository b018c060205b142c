/** The settings: the machine and its quality of speech first, then everything else that is declared. Loaded when it is opened. */
import { ask } from "../notes.js";
import { closeSettings } from "../route.js";
import * as store from "../store.js";
import { html, useCallback, useEffect, useRef, useState } from "../vendor/ui.js";
import { DeviceOptions } from "./device-options.js";
import { Fields } from "./fields.js";
import { Machine } from "./machine.js";
import { Notifications } from "./notifications.js";
import { Icon, loadChoices } from "./parts.js";
import { Phone } from "./phone.js";
import { Quality } from "./quality.js";
import { Voices } from "./voices.js";

/** Controls in which Escape means something of its own. */
const OWN_ESCAPE = "input[type=text], input[type=number], select, dialog *";

export function Settings() {
  const heading = useRef(null);
  const [tiers, loadTiers, tierFault] = useLoaded("/api/tiers");
  const [rows, loadRows, rowFault, setRows] = useLoaded("/api/settings");
  const [projects, loadProjects] = useLoaded("/api/projects");
  const { state, serving, wanted } = store.speech.value;
  const folders = store.sessions.value.map(({ id }) => id).join();
  const isOnline = store.link.value === "online";
  useEffect(() => heading.current.focus({ preventScroll: true }), []);
  // What is installed and free changes with each step of a change; after a break anything may have.
  useEffect(() => {
    if (isOnline) void loadTiers();
  }, [state, serving, wanted, isOnline]);
  useEffect(() => {
    if (!isOnline) return;
    void loadRows();
    void loadChoices();
  }, [isOnline]);
  useEffect(() => {
    if (isOnline) void loadProjects();
  }, [isOnline, folders]);
  const onKeyDown = (event) => {
    if (event.key !== "Escape" || event.target.matches(OWN_ESCAPE)) return;
    event.stopPropagation();
    closeSettings();
  };
  // What comes late would push down what is being read: each part waits for those above it.
  const knowsMachine = tiers || tierFault;
  return html`<div class="sets" id="settings" role="region" aria-label="Settings" onKeyDown=${onKeyDown}>
    <div class="wrap">
      <div class="setshd">
        <button class="ibtn" aria-label="Back to the conversation" title="Back to the conversation" onClick=${closeSettings}><${Icon} name="arrow-left" /></button>
        <h1 ref=${heading} tabindex="-1">Settings</h1>
      </div>
      <${Machine} answer=${tiers} fault=${tierFault} />
      ${knowsMachine && html`<${Quality} answer=${tiers} reload=${loadTiers} projects=${projects ?? []} />
      <${DeviceOptions} />
      <${Fields} rows=${rows} fault=${rowFault} setRows=${setRows} projects=${projects ?? []}>
        <${Voices} rows=${rows} setRows=${setRows} />
        <${Notifications} />
        <${Phone} />
      <//>`}
    </div>
  </div>`;
}

/**
 * What the hub answers to a GET, read again by the second value. The last good answer stays while the hub is away.
 * @param {string} path
 */
function useLoaded(path) {
  const [answer, setAnswer] = useState(null);
  const [fault, setFault] = useState("");
  const load = useCallback(async () => {
    const found = await ask("GET", path, undefined, setFault);
    if (!found) return null;
    setFault("");
    setAnswer(found);
    return found;
  }, [path]);
  return [answer, load, fault, setAnswer];
}
