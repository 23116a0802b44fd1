// The one live region: what screen readers are told.

let told = 0;

export function say(text: string): void {
  const said = document.getElementById("said");
  told += 1;
  if (said) said.textContent = text;
}

/** Whether nothing else was said since now, so that what comes late does not take the word from what came after it. */
export function silence(): () => boolean {
  const before = told;
  return () => told === before;
}
