/** The whole of a conversation as a file that the browser keeps. Fetched when somebody asks for it. */
import { fetchFile } from "./api.js";
import { tell } from "./notes.js";

/** @param {string} session_id @param {"markdown"|"json"} format */
export async function exportConversation(session_id, format) {
  try {
    const { name, body } = await fetchFile(`/api/history/export?${new URLSearchParams({ session_id, format })}`);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(body);
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
    tell(`Saved as ${name}`);
  } catch (error) {
    tell(`The conversation could not be exported. ${error.message}`, "error");
  }
}
