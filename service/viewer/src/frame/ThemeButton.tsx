// One button that goes round: as the system has it, light, dark.

import { Icon } from "../parts/Icon";
import { say } from "../parts/said";
import { THEMES, type Theme, theme } from "./theme";

const WORDS: Record<Theme, string> = { system: "as the system has it", light: "light", dark: "dark" };

export function ThemeButton() {
  const now = theme.value, next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]!;
  const turn = () => { theme.value = next; say(`Colours: ${WORDS[next]}`); };
  return (
    <button type="button" class="faint square" onClick={turn} aria-label={`Colours: ${WORDS[now]}. Change to ${WORDS[next]}`} title={`Colours: ${WORDS[now]}`}>
      <Icon name={now} />
    </button>
  );
}
