// The one live region: what screen readers are told.

export function say(text: string): void {
  const said = document.getElementById("said");
  if (said) said.textContent = text;
}
