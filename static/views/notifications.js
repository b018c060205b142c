/** How this device tells that an agent needs you: its section of the settings. */

export function Notifications() {
  return null;
}
