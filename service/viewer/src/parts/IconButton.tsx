// A button that is a picture; its name is told to who points at it and to screen readers.

import { Icon, type IconName } from "./Icon";

interface Props { icon: IconName; name: string; title?: string; pressed?: boolean; disabled?: boolean; onClick: () => void }

export function IconButton({ icon, name, title = name, pressed, disabled, onClick }: Props) {
  return <button type="button" class="icon-button" aria-label={name} title={title} aria-pressed={pressed} disabled={disabled} onClick={onClick}><Icon name={icon} /></button>;
}
