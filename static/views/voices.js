/** The voices: which one a new agent gets, which one each agent has, and how all of them sound. */
import { clientId } from "../device.js";
import { ask } from "../notes.js";
import * as store from "../store.js";
import { dispatch, sound } from "../talk.js";
import { html, useEffect, useState } from "../vendor/ui.js";
import { nameOf, voiceName } from "../words.js";
import { Field } from "./fields.js";
import { Icon, VoiceOptions } from "./parts.js";

/** What is tried now: {voice, stream, fault}; no stream before it sounds. */
const NOTHING = Object.freeze({ voice: "", stream: "", fault: "" });

/** @param {{rows: any[]|null, setRows: (rows: any[]) => void}} props */
export function Voices({ rows, setRows }) {
  const [tried, setTried] = useState(NOTHING);
  const row = rows?.find(({ name }) => name === "agents.voice");
  const voices = store.voices.value;
  const isSounding = tried.stream !== "" && store.voice.value.stream?.id === tried.stream;
  const isOnline = store.link.value === "online";
  useEffect(() => stopPreview, []);
  useEffect(() => {
    if (!isOnline) stopPreview(); // nobody would send the rest of it
  }, [isOnline]);
  const preview = async (voice) => {
    if (isSounding && tried.voice === voice) return stopPreview();
    sound.unlock();
    setTried({ ...NOTHING, voice });
    let fault = "";
    const begun = await ask("POST", `/api/voices/${voice}/preview`, { client: clientId }, (words) => (fault = words.replace("\n", " ")));
    return setTried((now) => (now.voice === voice ? { voice, stream: begun?.stream ?? "", fault } : now));
  };
  if (!row || !voices.length) return html`<section class="card voices waiting" aria-busy="true"><h2>Voices</h2></section>`;
  const chosen = row.value || voices[0].id;
  return html`<section class="card voices" aria-labelledby="voices">
    <h2 id="voices">Voices</h2>
    <div class="rows">
      <${Field} row=${row} setRows=${setRows} />
      ${store.sessions.value.map((session) => html`<${OfAgent} key=${session.id} session=${session} voices=${voices} />`)}
    </div>
    ${tried.fault && html`<p class="refusal" role="alert">${tried.fault}</p>`}
    ${[...byLanguage(voices)].map(
      ([language, those]) => html`<${Language} key=${language} name=${language} count=${those.length} isOpen=${those.some(({ id }) => id === chosen)}>
        ${those.map((voice) => html`<${Voice} key=${voice.id} voice=${voice} state=${stateOf(voice.id, tried, isSounding)} preview=${preview} />`)}
      <//>`,
    )}
  </section>`;
}

/** Open at first or not; from then on as the user leaves it. @param {{name: string, count: number, isOpen: boolean, children?: any}} props */
function Language({ name, count, isOpen, children }) {
  const [isOpenFirst] = useState(isOpen);
  return html`<details class="more" open=${isOpenFirst}>
    <summary>${name} <small>${count === 1 ? "1 voice" : `${count} voices`}</small></summary>
    <ul class="voicelist">${children}</ul>
  </details>`;
}

function stopPreview() {
  if (store.isPreview(store.voice.value.stream)) dispatch({ type: "skip" });
}

/** @returns {"rest"|"coming"|"sounding"} */
function stateOf(voice, tried, isSounding) {
  if (tried.voice !== voice || tried.fault) return "rest";
  if (isSounding) return "sounding";
  return tried.stream ? "rest" : "coming";
}

/** @param {any[]} voices @returns {Map<string, any[]>} */
function byLanguage(voices) {
  const languages = new Map();
  for (const voice of voices) languages.set(voice.language, [...(languages.get(voice.language) ?? []), voice]);
  return languages;
}

/** @param {{voice: any, state: "rest"|"coming"|"sounding", preview: (voice: string) => void}} props */
function Voice({ voice, state, preview }) {
  const name = voiceName(voice.id);
  const users = store.sessions.value.filter((session) => session.voice === voice.id).map(nameOf);
  const words = { rest: `Preview ${name}`, coming: `${name} is coming`, sounding: `Stop ${name}` }[state];
  return html`<li data-voice=${voice.id}>
    <button class="btn" aria-label=${`${words}, ${voice.gender}`} aria-busy=${state === "coming"} onClick=${() => preview(voice.id)}>
      <${Icon} name=${state === "sounding" ? "square" : "volume-2"} size="s" />
      <span class="tx"><b>${name}</b><small>${users.length ? `of ${users.join(", ")}` : voice.gender}</small></span>
    </button>
  </li>`;
}

/** The voice of one agent; it speaks with another one from its next sentence on. @param {{session: any, voices: any[]}} props */
function OfAgent({ session, voices }) {
  const [fault, setFault] = useState("");
  const id = `voice-of-${session.id}`;
  const change = async ({ target }) => {
    setFault("");
    if (!(await ask("PUT", `/api/sessions/${encodeURIComponent(session.id)}/voice`, { voice: target.value }, setFault))) target.value = session.voice;
  };
  return html`<div class="row2" data-agent=${session.id}>
    <div class="t"><label for=${id}>Voice of ${nameOf(session)}</label>
      <p class="hint">From its next sentence on.</p>
      ${fault && html`<p class="refusal" role="alert">${fault}</p>`}
    </div>
    <div class="control"><select id=${id} value=${session.voice} onChange=${change}><${VoiceOptions} voices=${voices} /></select></div>
  </div>`;
}
