// Our own pictures for buttons, 20 × 20, drawn in the colour of the text.

const PATHS = {
  plus: "M10 4v12M4 10h12",
  minus: "M4 10h12",
  whole: "M4 8V4h4M16 8V4h-4M4 12v4h4M16 12v4h-4",
  box: "M3.5 5.5h13v9h-13z",
  lasso: "M10 3.5c4 0 6.5 2 6.5 4.6S14 12.8 10 12.8 3.5 10.7 3.5 8.1 6 3.5 10 3.5zM6.5 12.2c-1.6.6-1.6 2.6.3 2.6 1.5 0 1.5 1.7.2 2.2",
  leave: "M11 3.5H4v13h7M8.5 10H17M13.5 6.5 17 10l-3.5 3.5",
  line: "M4 15.5 8 8l4.5 4L16 4.5",
  close: "M5 5l10 10M15 5 5 15",
  upload: "M10 13V4M6 7.5 10 3.5l4 4M4 13.5v3h12v-3",
  download: "M10 4v9M6 9.5l4 4 4-4M4 16.5h12",
  share: "M7.5 11.5 12.5 15M7.5 8.5 12.5 5M7.5 10a2 2 0 1 1-4 0 2 2 0 0 1 4 0zM16.5 4a2 2 0 1 1-4 0 2 2 0 0 1 4 0zM16.5 16a2 2 0 1 1-4 0 2 2 0 0 1 4 0z",
  layers: "M10 3.5 17 7.5 10 11.5 3 7.5zM3.5 11 10 14.5 16.5 11",
  settings: "M3.5 6.5h6M13.5 6.5h3M3.5 13.5h3M10.5 13.5h6M11.5 4.5v4M8.5 11.5v4",
  back: "M12 4.5 6.5 10l5.5 5.5",
  next: "M8 4.5 13.5 10 8 15.5",
  play: "M6 4.5v11l9-5.5z",
  pause: "M7 5v10M13 5v10",
  up: "M5 12.5 10 7.5l5 5",
  down: "M5 7.5 10 12.5l5-5",
  flag: "M5 17V3.5M5 4h9l-2 3.5 2 3.5H5",
  search: "M9 14a5 5 0 1 0 0-10 5 5 0 0 0 0 10zM12.8 12.8 17 17",
  columns: "M3.5 4.5h13v11h-13zM10 4.5v11",
  check: "M4.5 10.5l3.6 3.6 7.4-8",
  clock: "M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14M10 6v4.4l2.8 1.7",
  dark: "M16.5 12.2A7 7 0 0 1 7.8 3.5a7 7 0 1 0 8.7 8.7z",
  light: "M10 6.2a3.8 3.8 0 1 1 0 7.6 3.8 3.8 0 0 1 0-7.6M10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6 16 16M4 16l1.4-1.4M14.6 5.4 16 4",
  map: "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z",
  system: "M3 4h14v9H3zM7 17h6M10 13v4",
  warning: "M10 3 18 17H2zM10 8v4M10 14.4v.2",
  question: "M7.5 7.5A2.5 2.5 0 1 1 10 10v1.5M10 14.5v.2",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The four squares of the application. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 16 16" width="18" height="18" aria-hidden="true">
      <path fill="#c2410c" d="M1 1h6v6H1z" /><path fill="#0f766e" d="M9 1h6v6H9z" /><path fill="#a16207" d="M1 9h6v6H1z" /><path fill="#1d4ed8" d="M9 9h6v6H9z" />
    </svg>
  );
}
