/** The card that says what this machine is, how its memory is used, and honestly whether a graphics card helps. */
import { memory } from "../sizes.js";
import { html } from "../vendor/ui.js";
import { Icon } from "./parts.js";

/** @param {{answer: any, fault: string}} props */
export function Machine({ answer, fault }) {
  if (!answer) return html`<section class="card hw waiting" aria-busy=${!fault}><p class="hint">${fault || "Looking at this machine…"}</p></section>`;
  const { hardware, remote } = answer;
  const gpu = usedGpu(answer);
  const { title, about } = namesOf(hardware, gpu);
  return html`<section class="card hw" aria-labelledby="machine">
    <span class="big"><${Icon} name="cpu" /></span>
    <div>
      <h2 id="machine">${title}</h2>
      <p class="hint">${[about, remote ? remoteWords(remote) : graphicsWords(hardware, gpu)].filter(Boolean).join(" ")}</p>
      <${Memory} answer=${answer} gpu=${gpu} />
    </div>
  </section>`;
}

/** The card that the tier in use, or the recommended one, would run on. */
function usedGpu({ hardware, tiers, serving, recommendation }) {
  const row = tiers.find(({ tier }) => tier === (serving ?? recommendation?.tier));
  const usable = hardware.gpus.filter((gpu) => !gpu.unusable);
  if (!row || row.device === "cpu" || !usable.length) return null;
  const number = /^cuda:(\d+)$/.exec(row.device)?.[1];
  return usable.find((gpu) => String(gpu.number) === number) ?? usable[0];
}

function namesOf(hardware, gpu) {
  const cores = `${hardware.cores} ${hardware.cores === 1 ? "processor core" : "processor cores"}`;
  const ram = hardware.memory_bytes ? `${memory(hardware.memory_bytes)} memory` : "";
  const processor = hardware.cpu_name || hardware.architecture;
  if (!gpu) return { title: processor, about: `${[cores, ram].filter(Boolean).join(", ")}.` };
  const size = gpu.memory_bytes && !gpu.is_unified ? `, ${memory(gpu.memory_bytes)}` : "";
  return { title: `${gpu.name}${size}`, about: `${[processor, cores, ram].filter(Boolean).join(", ")}.` };
}

/** Why no graphics card is used, in the words of the one who looked. */
function graphicsWords(hardware, gpu) {
  if (gpu) return "Speech runs on the graphics card.";
  const { gpus, notes } = hardware;
  if (!gpus.length) return ["No GPU is used: none was found.", ...notes.filter(({ what }) => what === "nvidia").map(({ reason }) => reason)].join(" ");
  const reasons = gpus.map(({ name, unusable }) => (unusable ? `${name}: ${unusable}` : `${name} is not used by the quality that was chosen.`));
  return `No GPU is used. ${reasons.join(" ")}`;
}

function remoteWords({ whisper_url, kokoro_url }) {
  if (whisper_url && kokoro_url) return `Hearing and speaking are done by other servers, ${whisper_url} and ${kokoro_url}.`;
  return whisper_url ? `Hearing is done by another server, ${whisper_url}.` : `Speaking is done by another server, ${kokoro_url}.`;
}

/** @param {{answer: any, gpu: any}} props */
function Memory({ answer: { hardware, tiers, serving, remote }, gpu }) {
  const own = gpu && !gpu.is_unified;
  const total = own ? gpu.memory_bytes : hardware.memory_bytes;
  const free = own ? gpu.free_bytes : hardware.memory_free_bytes;
  if (!total || free === null || free === undefined) return null;
  const used = Math.max(0, total - free);
  const row = remote ? null : tiers.find(({ tier }) => tier === serving);
  const speech = Math.min(used, row?.memory_bytes ?? 0);
  const parts = [["Speech, about", speech, "speech"], ["Other programs", used - speech, "other"]].filter(([, bytes]) => bytes > 0);
  const words = [...parts.map(([what, bytes]) => `${what} ${memory(bytes)}`), `Free ${memory(total - used)}`];
  return html`<div class="meter" role="img" aria-label=${`${own ? "Graphics memory" : "Memory"}: ${words.join(", ")}`}>
      ${parts.map(([, bytes, kind]) => html`<i class=${kind} style=${{ width: `${(100 * bytes) / total}%` }}></i>`)}
    </div>
    <div class="legend" aria-hidden="true">
      ${parts.map(([what, bytes, kind]) => html`<span><i class=${kind}></i>${what} ${memory(bytes)}</span>`)}
      <span>Free ${memory(total - used)}</span>
    </div>`;
}
