/** What the agent in view has changed in its folder: the files, and the lines of those that are open. Asked of the hub anew when a tool ends. */
import { request } from "./api.js";
import * as store from "./store.js";
import { effect, signal, untracked } from "./vendor/ui.js";

/** Tools that end shortly after each other are one look. */
const SETTLE_MS = 400;

/** @typedef {{key: string, path: string, before_key: string, before: string, change: string, staged: boolean, added: number|null, removed: number|null}} ChangedFile */
/** `of`: the agent it is about. @type {{value: {of: string, repository: string, branch: string, why: string, files: ChangedFile[], more: boolean, isLoading: boolean, isLoaded: boolean, fault: string}}} */
export const listed = signal(empty(""));
/** Lines by the key of the file that is open: null as long as they are on their way. @type {{value: Record<string, {lines: any[]|null, cut: boolean, fault: string}>}} */
export const opened = signal({});

let asked = 0;

/** @param {string} of */
function empty(of) {
  return { of, repository: "", branch: "", why: "", files: [], more: false, isLoading: false, isLoaded: false, fault: "" };
}

/** What stands stays until the answer is there. */
export async function load() {
  const of = store.currentId.value;
  if (of === null) return;
  if (listed.value.of !== of) {
    listed.value = empty(of);
    opened.value = {};
  }
  const mine = ++asked;
  listed.value = { ...listed.value, isLoading: true };
  try {
    const found = await request("GET", `/api/sessions/${encodeURIComponent(of)}/changes`);
    if (mine !== asked) return;
    listed.value = { of, ...found, isLoading: false, isLoaded: true, fault: "" };
  } catch (error) {
    if (mine === asked) listed.value = { ...listed.value, isLoading: false, fault: [error.message, error.remedy].filter(Boolean).join(" ") };
    return;
  }
  const left = listed.value.files.filter(({ key }) => key in opened.value);
  opened.value = Object.fromEntries(left.map(({ key }) => [key, opened.value[key]]));
  for (const file of left) loadLines(of, file);
}

/** @param {ChangedFile} file */
export function toggle(file) {
  const { [file.key]: before, ...others } = opened.value;
  if (before) opened.value = others;
  else {
    opened.value = { ...others, [file.key]: { lines: null, cut: false, fault: "" } };
    loadLines(listed.value.of, file);
  }
}

/** @param {string} of @param {ChangedFile} file */
async function loadLines(of, { key, before_key }) {
  const put = (found) => {
    if (listed.value.of === of && key in opened.value) opened.value = { ...opened.value, [key]: { ...opened.value[key], ...found } };
  };
  try {
    const query = new URLSearchParams({ file: key, before: before_key });
    put({ ...(await request("GET", `/api/sessions/${encodeURIComponent(of)}/changes/file?${query}`)), fault: "" });
  } catch (error) {
    put({ fault: error.message });
  }
}

/** While the tab is seen it follows the agent in view. Returns what ends that. */
export function follow() {
  let timer = 0;
  let before = "";
  const unseen = effect(() => {
    const session = store.current.value;
    const isOnline = store.link.value === "online";
    const { activity = "", since = 0, detail = "" } = session?.doing ?? {};
    const now = `${session?.id} ${activity} ${since} ${detail}`;
    untracked(() => {
      if (!isOnline || now === before) return;
      const isOther = listed.value.of !== session?.id || !before;
      before = now;
      clearTimeout(timer);
      timer = setTimeout(load, isOther ? 0 : SETTLE_MS);
    });
  });
  const look = () => document.visibilityState === "visible" && load();
  document.addEventListener("visibilitychange", look);
  return () => {
    clearTimeout(timer);
    unseen();
    document.removeEventListener("visibilitychange", look);
  };
}
