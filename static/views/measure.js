/** Measuring the quality in use on this machine: a button, how far it is, and what it took. */
import { ask } from "../notes.js";
import { memory, seconds } from "../sizes.js";
import * as store from "../store.js";
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { sentence, tierName } from "../words.js";
import { Icon } from "./parts.js";

/** How far it is matters less than that it goes on; the first steps are the longest. */
const DOING = { speaking: "it speaks a sentence", hearing: "it understands a sentence" };

/** @param {{answer: any, reload: () => Promise<any>}} props */
export function Measure({ answer, reload }) {
  const [refusal, setRefusal] = useState("");
  const told = store.measuring.value;
  const now = told?.state === "running" ? told : !told && answer.measuring ? answer.measuring : null;
  const button = useRef(null);
  useEffect(() => {
    if (told && told.state !== "running") void reload();
  }, [told?.state]);
  const start = async () => {
    setRefusal("");
    store.measuring.value = null;
    const begun = await ask("POST", "/api/tiers/measure", {}, setRefusal);
    if (begun) store.measuring.value ??= { ...begun, state: "running" };
  };
  const stop = async () => {
    await ask("DELETE", "/api/tiers/measure", {}, setRefusal);
    button.current?.focus();
  };
  const serving = answer.tiers.find(({ tier }) => tier === (store.speech.value.serving ?? answer.serving));
  const outcome = refusal || (now ? "" : (told?.reason ?? ""));
  return html`<div class="measure">
    <button class="btn" data-do="measure" ref=${button} onClick=${now ? stop : start} disabled=${!now && !serving}>
      <${Icon} name=${now ? "square" : "activity"} size="s" />${now ? "Stop measuring" : "Measure on this machine"}
    </button>
    <div class="figures">
      ${now
        ? html`<p>Measuring ${tierName(now.tier)}: ${DOING[now.doing]}, ${now.done + 1 > now.of ? now.of : now.done + 1} of ${now.of}. Best in silence.</p>
            <progress aria-label=${`Measuring ${tierName(now.tier)}`} max=${now.of} value=${now.done}></progress>`
        : html`<p class=${outcome ? "bad" : ""}>${outcome || figuresOf(serving)}</p>`}
    </div>
    <div class="sr" role="status">${now ? `Measuring ${tierName(now.tier)}` : outcome || (told?.state === "done" ? `Measured. ${figuresOf(serving)}` : "")}</div>
  </div>`;
}

/** @param {import("../tiers.js").Tier|undefined} row of the quality in use */
function figuresOf(row) {
  if (!row) return "Speech has to be ready to be measured.";
  const name = tierName(row.tier);
  if (row.stale) return `${name} has to be measured anew: ${row.stale}.`;
  if (!row.measured) return `${name} was never measured here: its figures are estimates. It takes half a minute.`;
  const { at, delay_seconds, first_sound_seconds, memory_bytes } = row.measured;
  const held = memory_bytes ? ` It holds ${memory(memory_bytes)} of memory.` : "";
  return sentence(`${name}, measured ${day(at)}: your words after ${seconds(delay_seconds)}, an answer's first sound after ${seconds(first_sound_seconds)}.${held}`);
}

/** @param {number} ts unix seconds */
function day(ts) {
  const then = new Date(ts * 1000);
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(ts * 1000).setHours(0, 0, 0, 0)) / 86400000);
  if (days <= 1) return days === 1 ? "yesterday" : "today";
  return then.toLocaleDateString(undefined, { day: "numeric", month: "long", year: "numeric" });
}
