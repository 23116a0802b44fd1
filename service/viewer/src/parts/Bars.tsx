// Amounts as bars, one below the other; those against in another colour.

export interface Bar {
  name: string;
  title?: string;
  value: string;
  /** Of the track, -1 to 1; beyond, it is full and says so. */
  share: number;
  more?: string;
  /** Makes the name a button. */
  onPick?: () => void;
}

export function Bars({ rows }: { rows: Bar[] }) {
  return (
    <ol class="bars">
      {rows.map(({ name, title, value, share, more, onPick }) => (
        <li>
          <div class="row">{onPick ? <button type="button" class="link name" title={title} onClick={onPick}>{name}</button> : <span class="name" title={title}>{name}</span>}<span class="value">{value}</span></div>
          <div class={Math.abs(share) > 1 ? "track beyond" : "track"} title={Math.abs(share) > 1 ? "More than a full bar" : undefined}><div class={share < 0 ? "fill against" : "fill"} style={{ width: `${Math.min(100, Math.abs(share) * 100)}%` }} /></div>
          {more && <small>{more}</small>}
        </li>
      ))}
    </ol>
  );
}
