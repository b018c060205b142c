/** The tab for who looks for a fault: how long the last turn took, the link, microphone and sound, the engines, the hub. */
import { request } from "../api.js";
import { asText, rows, seconds, waterfall } from "../debug.js";
import { deviceName } from "../device.js";
import * as store from "../store.js";
import { link as hubLink, microphone, player, sound } from "../talk.js";
import { html, useEffect, useState } from "../vendor/ui.js";
import { nameOf } from "../words.js";
import { Icon } from "./parts.js";

const LOOK_MS = 3000;

export function Debug() {
  const [hub, setHub] = useState(null);
  const [page, setPage] = useState(insides());
  const [copied, setCopied] = useState("");
  const session = store.current.value;
  const link = store.link.value;
  const timing = store.timings.value[session?.id ?? ""] ?? null;
  useEffect(() => {
    if (link !== "online") return undefined;
    const look = async () => {
      if (document.visibilityState !== "visible") return;
      hubLink.measure();
      const found = await request("GET", "/api/debug").catch(() => null); // the row of the link tells that it does not answer
      setPage(insides());
      if (!found) return;
      setHub(found);
      store.putTimings(found.timings);
    };
    look();
    const timer = setInterval(look, LOOK_MS);
    return () => clearInterval(timer);
  }, [link]);
  const known = { link, device: deviceName(), page, hub };
  const copy = async () => {
    const text = asText(known, timing);
    const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    setCopied(done ? "done" : text);
  };
  return html`<div class="dbox" role="region" aria-label="Debug" tabindex="0">
    <h2>Last turn${session ? ` with ${nameOf(session)}` : ""}, from your last word to first sound</h2>
    ${timing ? html`<${Waterfall} timing=${timing} />` : html`<p class="hint">Talk with an agent, and how long each part took is shown here.</p>`}
    <dl class="facts2">${rows(known).map(([label, value]) => html`<div key=${label}><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>
    <p class="hint">It holds nothing that was said, and no password.</p>
    <button class="btn" data-do="copy" onClick=${copy}><${Icon} name="copy" size="s" />${copied === "done" ? "Copied" : "Copy as text"}</button>
    ${copied && copied !== "done" && html`<textarea class="copied" readonly aria-label="The same as text" rows="12" value=${copied}></textarea>`}
  </div>`;
}

/** How link, microphone and loudspeaker stand on this page. */
function insides() {
  const { context } = sound;
  return {
    round_trip_ms: hubLink.roundTripMs,
    reconnects: Math.max(0, hubLink.welcomes - 1),
    microphone: microphone.track?.readyState === "live" ? microphone.track.getSettings() : null,
    sample_rate: context?.sampleRate ?? null,
    latency_ms: context?.state === "running" ? Math.round(1000 * ((context.baseLatency ?? 0) + sound.latencySeconds())) : null,
    underruns: player.underruns,
  };
}

/** @param {{timing: any}} props */
function Waterfall({ timing }) {
  return html`<dl class="waterfall">
    ${waterfall(timing).map(({ words, ms, from, to }) => html`<div key=${words}>
      <dt>${words}</dt>
      <dd><span class="track" aria-hidden="true"><i style=${{ left: `${100 * from}%`, width: `${100 * (to - from)}%` }}></i></span><b>${ms === null ? "…" : seconds(ms)}</b></dd>
    </div>`)}
  </dl>`;
}
