/** Boot: signs in, draws the page, and starts the loop. */
import { signIn } from "./api.js";
import { listenToKeys } from "./keys.js";
import { tell } from "./notes.js";
import { closeSettings, follow, isPanel, view } from "./route.js";
import * as store from "./store.js";
import { events, isTest, sound, start } from "./talk.js";
import { html, options, render, useEffect, useState } from "./vendor/ui.js";
import { Agents, CloseAgent, Logo } from "./views/agents.js";
import { Banner, WhyInsecure } from "./views/banner.js";
import { Conversation, Standing } from "./views/conversation.js";
import { Dock } from "./views/dock.js";
import { Header } from "./views/header.js";
import { Fetched, Ongoing } from "./views/parts.js";
import { nameOf, shown, terminalQuestion } from "./words.js";

const RETRY_MS = 3000;
const DIALOGS = {
  "new-agent": fetchedDialog(() => import("./views/new-agent.js").then(({ NewAgent }) => NewAgent)),
  "close-agent": CloseAgent,
  help: fetchedDialog(() => import("./views/help.js").then(({ Help }) => Help)),
  insecure: WhyInsecure,
  palette: fetchedDialog(() => import("./views/palette.js").then(({ Palette }) => Palette)),
};

/** A dialog whose module is fetched when it is first opened. @param {() => Promise<any>} load */
function fetchedDialog(load) {
  return function FetchedDialog() {
    const [View, setView] = useState(null);
    useEffect(() => {
      const failed = () => {
        store.dialog.value = null;
        tell("That could not be loaded: the hub does not answer.", "error");
      };
      load().then((loaded) => setView(() => loaded), failed);
    }, []);
    return View && html`<${View} />`;
  };
}

function App() {
  const words = title();
  useEffect(() => {
    document.title = words;
  }, [words]);
  const state = store.link.value;
  if (state === "boot") return null;
  if (state === "signed_out") return html`<main class="calm"><${Logo} /><h1>ClawMux</h1><${Fetched} load=${loadSignIn} what="This page" /></main>`;
  if (state === "unreachable") return html`<${Unreachable} />`;
  const Dialog = DIALOGS[store.dialog.value?.view];
  return html`${view.value === "settings" ? html`<${InSettings} />` : html`<${InTalk} />`}
    ${Dialog && html`<${Dialog} ...${store.dialog.value} />`}
    <div class="sr" role="status" aria-live="polite">${store.spokenStatus.value}</div>
    <div class="sr" role="log" aria-live="polite" aria-label="Replies">${store.announced.value.map(({ id, text }) => html`<p key=${id}>${text}</p>`)}</div>`;
}

function InTalk() {
  return html`<a class="skip" href="#log">Skip to conversation</a><a class="skip" href="#talk">Skip to talk</a>
    <div class=${isPanel() ? "app withpanel" : "app"}>
      <${Agents} />
      <main id="main" class="main">
        <div><${Header} /><${Standing} /><${Banner} /></div>
        <${Conversation} />
        <div><${AgentBlocked} />${view.value === "terminal" && html`<${Fetched} load=${loadTerminal} what="The terminal" />`}</div>
        <${Dock} />
      </main>
      ${isPanel() && html`<${Fetched} load=${loadPanel} what="The panel" />`}
    </div>`;
}

/** The agent in view cannot go on without the user. */
function AgentBlocked() {
  const session = store.current.value;
  if (!session || session.state === "dead" || !(session.permission || terminalQuestion(session))) return null;
  return html`<${Fetched} load=${loadBlocked} what="What it asks" />`;
}

const loadBlocked = () => import("./views/permission.js").then(({ Blocked }) => Blocked);
const loadPanel = () => import("./views/panel.js").then(({ Panel }) => Panel);
const loadTerminal = () => import("./views/terminal.js").then(({ Terminal }) => Terminal);
const loadSignIn = () => import("./views/sign-in.js").then(({ SignIn }) => SignIn);
const loadSettings = () => import("./views/settings.js").then(({ Settings }) => Settings);

function InSettings() {
  return html`<a class="skip" href="#settings">Skip to settings</a>
    <div class="app insettings">
      <${Agents} />
      <main id="main" class="main"><${Banner} /><${Fetched} id="settings" load=${loadSettings} what="The settings" /><${Ongoing} back=${closeSettings} /></main>
    </div>`;
}

function title() {
  const waiting = store.callingAgents.value.length;
  if (view.value === "settings") return `${waiting ? `(${waiting}) ` : ""}Settings · ClawMux`;
  const name = store.current.value ? `${nameOf(store.current.value)} · ClawMux` : "ClawMux";
  return waiting ? `(${waiting}) ${name}` : name;
}

/** The page was kept on this device, or the hub has just gone. */
function Unreachable() {
  return html`<main class="calm unreachable"><${Logo} /><h1>The hub is not reachable</h1>
    <p role="status">This page looks for it, and goes on as soon as it answers.</p>
    <ul>
      <li>On the hub's computer: <code>clawmux start</code> starts the hub, <code>clawmux status</code> tells how it stands.</li>
      <li>That computer may be off, asleep, or without a network.</li>
      <li>On another device: it has to be in the same network, or in the same tailnet where the address is one of Tailscale.</li>
    </ul>
    <button class="btn primary" onClick=${boot}>Try now</button></main>`;
}

let retry = 0;
async function boot() {
  clearTimeout(retry);
  const found = await signIn();
  if (found === "unreachable") retry = setTimeout(boot, RETRY_MS);
  // From the beginning: who answers now may have a newer page, or be another program.
  else if (store.link.value === "unreachable") return location.reload();
  if (found === "in") return start();
  store.link.value = found === "out" ? "signed_out" : "unreachable";
}

// A new link opened in this very tab changes only the fragment, which loads nothing by itself.
addEventListener("hashchange", () => (location.hash.includes("k=") ? location.reload() : follow()));
// A browser may lock the sound again at any time, so every gesture unlocks it.
for (const gesture of ["pointerup", "keydown"]) addEventListener(gesture, () => sound.unlock(), { capture: true });
document.addEventListener("visibilitychange", () => sound.context && document.visibilityState === "visible" && sound.unlock());
/** Agents name folders, branches and tools, too: whatever is drawn, nothing in it turns the order of its words round. */
const SAID_BY = ["title", "aria-label", "placeholder"];
const drawn = options.vnode;
options.vnode = (node) => {
  if (node.type === null && typeof node.props === "string") node.props = shown(node.props);
  else if (typeof node.type === "string") for (const name of SAID_BY) if (typeof node.props[name] === "string") node.props[name] = shown(node.props[name]);
  drawn?.(node);
};
listenToKeys();
render(html`<${App} />`, document.getElementById("app"));
boot();
if (/[?&](agent|talk)=/.test(location.search)) import("./deep-link.js").catch(() => {});
// The hub names the build in the address of its files; a page without one is kept by nobody.
if (/^\/static\/[0-9a-f]{16}\//.test(new URL(import.meta.url).pathname)) addEventListener("load", () => import("./updates.js").catch(() => {}));
if (isTest) globalThis.__clawmux_test = { tap: () => sound.tap(), events };
