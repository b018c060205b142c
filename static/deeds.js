/** What an agent did with its tools, in one line of words. Pure. */

/**
 * @typedef {{tool: string, detail: string, seconds: number, ok: boolean}} Deed
 * @typedef {{verb: string, one: string, many: string, distinct?: boolean}} Sort `distinct`: the same one twice counts once
 */

/** @type {Record<string, Sort>} */
const SORTS = {
  edit: { verb: "edited", one: "file", many: "files", distinct: true },
  read: { verb: "read", one: "file", many: "files", distinct: true },
  run: { verb: "ran", one: "command", many: "commands" },
  search: { verb: "searched", one: "once", many: "times" },
  web: { verb: "looked up", one: "page", many: "pages" },
  agent: { verb: "sent out", one: "helper", many: "helpers" },
  plan: { verb: "planned", one: "once", many: "times" },
  other: { verb: "used", one: "other tool", many: "other tools" },
};

/** Tools of the agent programs, in small letters. */
const TOOLS = {
  edit: "edit write multiedit notebookedit apply_patch patch str_replace_based_edit_tool",
  read: "read view notebookread view_image",
  run: "bash shell local_shell exec_command exec write_stdin bashoutput killshell killbash powershell",
  search: "grep glob ls list search toolsearch codesearch",
  web: "webfetch websearch web_search fetch",
  agent: "task agent subtask",
  plan: "todowrite todoread update_plan taskcreate taskupdate tasklist taskget plan",
};
const SORT_OF = new Map(Object.entries(TOOLS).flatMap(([sort, tools]) => tools.split(" ").map((tool) => [tool, sort])));

/** @param {string} tool */
export function sortOf(tool) {
  return SORT_OF.get(tool.toLowerCase()) ?? "other";
}

/** "Edited 2 files, ran 3 commands". @param {Deed[]} items @param {number} left so many more of which nothing else is known */
export function summary(items, left = 0) {
  const parts = [];
  for (const [name, { verb, one, many, distinct }] of Object.entries(SORTS)) {
    const those = items.filter(({ tool }) => sortOf(tool) === name);
    const count = (distinct ? new Set(those.map(({ detail }, i) => detail || i)).size : those.length) + (name === "other" ? left : 0);
    if (count) parts.push(`${verb} ${count > 1 ? `${count} ${many}` : one === "once" ? one : `1 ${one}`}`);
  }
  const words = parts.join(", ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A path in the agent's own folder without that folder. @param {string} detail @param {string} folder */
export function within(detail, folder) {
  return folder && detail.startsWith(`${folder.replace(/\/+$/, "")}/`) ? detail.slice(folder.replace(/\/+$/, "").length + 1) : detail;
}
