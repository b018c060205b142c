/** Boot: signs in, draws the page, and starts the loop. */
import { signIn } from "./api.js";
import { listenToKeys } from "./keys.js";
import { closeMessages, closeSettings, follow, view } from "./route.js";
import * as store from "./store.js";
import { events, isTest, sound, start } from "./talk.js";
import { html, render, useEffect, useState } from "./vendor/ui.js";
import { Agents, CloseAgent, Logo } from "./views/agents.js";
import { Banner, WhyInsecure } from "./views/banner.js";
import { Conversation, Header, Standing } from "./views/conversation.js";
import { Dock } from "./views/dock.js";
import { Help } from "./views/help.js";
import { NewAgent } from "./views/new-agent.js";
import { Blocked } from "./views/permission.js";
import { nameOf } from "./words.js";

const RETRY_MS = 3000;
const DIALOGS = { "new-agent": NewAgent, "close-agent": CloseAgent, help: Help, insecure: WhyInsecure };

function App() {
  const words = title();
  useEffect(() => {
    document.title = words;
  }, [words]);
  const state = store.link.value;
  if (state === "boot") return null;
  if (state === "signed_out") return html`<${Calm} words=${["Run ", html`<code>clawmux open</code>`, " and open the link it prints"]} />`;
  if (state === "unreachable") return html`<${Calm} words=${["The hub does not answer. Trying again…"]} />`;
  const Dialog = DIALOGS[store.dialog.value?.view];
  return html`${view.value === "settings" ? html`<${InSettings} />` : html`<${InTalk} />`}
    ${Dialog && html`<${Dialog} ...${store.dialog.value} />`}
    <div class="sr" role="status" aria-live="polite">${store.spokenStatus.value}</div>`;
}

function InTalk() {
  return html`<a class="skip" href="#log">Skip to conversation</a><a class="skip" href="#talk">Skip to talk</a>
    <div class=${view.value === "messages" ? "app withpanel" : "app"}>
      <${Agents} />
      <main id="main" class="main">
        <div><${Header} /><${Standing} /><${Banner} /></div>
        <${Conversation} />
        <div><${Blocked} /></div>
        <${Dock} />
      </main>
      ${view.value === "messages" && html`<${InMessages} />`}
    </div>`;
}

/** Beside the conversation where there is room; else over it. */
function InMessages() {
  return html`<aside class="panel" aria-label="Messages between agents">
    <${Fetched} id="messages" load=${loadMessages} what="The messages" /><${Ongoing} back=${closeMessages} />
  </aside>`;
}

const loadMessages = () => import("./views/messages.js").then(({ Messages }) => Messages);
const loadSettings = () => import("./views/settings.js").then(({ Settings }) => Settings);

function InSettings() {
  return html`<a class="skip" href="#settings">Skip to settings</a>
    <div class="app insettings">
      <${Agents} />
      <main id="main" class="main"><${Banner} /><${Fetched} id="settings" load=${loadSettings} what="The settings" /><${Ongoing} back=${closeSettings} /></main>
    </div>`;
}

/** Most visits never open these: their modules are fetched when somebody does. @param {{id: string, load: () => Promise<any>, what: string}} props */
function Fetched({ id, load, what }) {
  const [state, setState] = useState({ View: null, fault: "" });
  useEffect(() => {
    load().then(
      (View) => setState({ View, fault: "" }),
      () => setState({ View: null, fault: `${what} could not be loaded: the hub does not answer.` }),
    );
  }, []);
  return state.View ? html`<${state.View} />` : html`<div class="fetching" id=${id}><p class="hint">${state.fault}</p></div>`;
}

const ONGOING = { arming: "The microphone is opening.", listening: "The microphone is on.", sending: "Understanding…", speaking: "An agent is speaking." };

/** A microphone that is open must be seen to be open, wherever the user is. @param {{back: () => void}} props */
function Ongoing({ back }) {
  const words = ONGOING[store.voice.value.mode];
  return html`<div class="ongoing" data-mode=${store.voice.value.mode}>
    ${words && html`<span>${words}</span><button class="btn" onClick=${back}>Back to the conversation</button>`}
  </div>`;
}

function title() {
  const waiting = store.waitingAgents.value.length;
  if (view.value === "settings") return `${waiting ? `(${waiting}) ` : ""}Settings · ClawMux`;
  const name = store.current.value ? `${nameOf(store.current.value)} · ClawMux` : "ClawMux";
  return waiting ? `(${waiting}) ${name}` : name;
}

/** @param {{words: any[]}} props */
function Calm({ words }) {
  return html`<main class="calm"><${Logo} /><h1>ClawMux</h1><p>${words}</p></main>`;
}

async function boot() {
  const found = await signIn();
  if (found === "in") start();
  else store.link.value = found === "out" ? "signed_out" : "unreachable";
  if (found === "unreachable") setTimeout(boot, RETRY_MS);
}

// A new link opened in this very tab changes only the fragment, which loads nothing by itself.
addEventListener("hashchange", () => (location.hash.includes("k=") ? location.reload() : follow()));
// A browser may lock the sound again at any time, so every gesture unlocks it.
for (const gesture of ["pointerup", "keydown"]) addEventListener(gesture, () => sound.unlock(), { capture: true });
document.addEventListener("visibilitychange", () => sound.context && document.visibilityState === "visible" && sound.unlock());
listenToKeys();
render(html`<${App} />`, document.getElementById("app"));
boot();
if (isTest) globalThis.__clawmux_test = { tap: () => sound.tap(), events };
