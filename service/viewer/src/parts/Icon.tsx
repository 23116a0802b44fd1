// Our own signs, drawn in the colour of the text beside them.

const PATHS = {
  system: "M3 4h14v9H3zM7 17h6M10 13v4",
  light: "M10 6.2a3.8 3.8 0 1 1 0 7.6 3.8 3.8 0 0 1 0-7.6M10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6 16 16M4 16l1.4-1.4M14.6 5.4 16 4",
  dark: "M16.5 12.2A7 7 0 0 1 7.8 3.5a7 7 0 1 0 8.7 8.7z",
  warning: "M10 3 18 17H2zM10 8v4M10 14.4v.2",
  plus: "M10 4v12M4 10h12",
  close: "M5 5l10 10M15 5 5 15",
  check: "M4.5 10.5l3.6 3.6 7.4-8",
  question: "M7.2 7.6c0-3.6 5.6-3.6 5.6 0 0 2.1-2.8 2.1-2.8 4.2M10 15v.3",
  dash: "M5 10h10",
  search: "M8.8 3.5a5.3 5.3 0 1 1 0 10.6 5.3 5.3 0 0 1 0-10.6M12.8 12.8 17 17",
  upload: "M10 13V4M6 8l4-4 4 4M4 16h12",
  download: "M10 4v9M6 9l4 4 4-4M4 16h12",
  map: "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z",
  right: "M8 5l5 5-5 5",
  clock: "M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14M10 6v4.4l2.8 1.7",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d={PATHS[name]} /></svg>;
}

/** The four squares of the application. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path fill="#c2410c" d="M1 1h6v6H1z" /><path fill="#0f766e" d="M9 1h6v6H9z" /><path fill="#a16207" d="M1 9h6v6H1z" /><path fill="#1d4ed8" d="M9 9h6v6H9z" />
    </svg>
  );
}
