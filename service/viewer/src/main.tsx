// The page: what the address asks for.

import "./style/tokens.css";
import "./style/base.css";
import "./style/map.css";
import "./style/parts.css";
import "./style/tour.css";
import "./style/images.css";
import "./style/linked.css";
import "./style/look.css";
import "./style/versions.css";
import { signal } from "@preact/signals";
import { type ComponentType, render } from "preact";
import { type PageProps, pageOf } from "./pages";
import { Busy } from "./parts/Busy";

const query = signal(new URLSearchParams(location.search));
const page = signal<ComponentType<PageProps> | null>(null);

function App() {
  const Page = page.value;
  return Page ? <Page query={query.value} /> : <Busy />;
}

async function open(): Promise<void> {
  query.value = new URLSearchParams(location.search);
  page.value = (await pageOf(query.value).load()).default;
}

addEventListener("popstate", () => { if (query.value.toString() !== new URLSearchParams(location.search).toString()) void open(); });
render(<App />, document.getElementById("app")!);
void open();
