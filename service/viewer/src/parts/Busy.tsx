// Something is on its way.

export function Busy({ children = "Loading…" }: { children?: string }) {
  return <p class="busy" aria-busy="true"><span class="spinner" aria-hidden="true" />{children}</p>;
}
