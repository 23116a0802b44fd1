// The page: what the address asks for, within the frame of the application.

import "./style/tokens.css";
import "./style/base.css";
import "./style/frame.css";
import "./style/map.css";
import "./style/parts.css";
import "./style/pages.css";
import { effect, signal } from "@preact/signals";
import { type ComponentType, render } from "preact";
import { Frame } from "./frame/Frame";
import { follow, query } from "./frame/navigate";
import "./frame/theme";
import { type PageProps, pageOf } from "./pages";
import { Busy } from "./parts/Busy";

interface Loaded { component: ComponentType<PageProps>; query: URLSearchParams }

const loaded = signal<Loaded | null>(null);

function App() {
  const now = loaded.value;
  return (
    <Frame alone={(now?.query ?? query.value).has("folder")}>
      {now ? <now.component key={now.query.toString()} query={now.query} /> : <Busy />}
    </Frame>
  );
}

follow();
effect(() => {
  const asked = query.value;
  void pageOf(asked).load().then((module) => {
    if (query.peek() === asked) loaded.value = { component: module.default, query: asked };
  });
});
render(<App />, document.getElementById("app")!);
