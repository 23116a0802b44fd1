// The page: what the address asks for, within the frame of the application.

import "./style/tokens.css";
import "./style/base.css";
import "./style/forms.css";
import "./style/frame.css";
import "./style/map.css";
import "./style/parts.css";
import "./style/tour.css";
import "./style/images.css";
import "./style/linked.css";
import "./style/heat.css";
import "./style/look.css";
import "./style/versions.css";
import "./style/pages.css";
import { effect, signal } from "@preact/signals";
import { type ComponentType, render } from "preact";
import { asksForKey } from "./api";
import { Frame } from "./frame/Frame";
import { SignIn } from "./frame/SignIn";
import { follow, query } from "./frame/navigate";
import "./frame/theme";
import { copy } from "./offline";
import { type PageProps, pageOf } from "./pages";
import Unfetched from "./pages/unfetched";
import { Busy } from "./parts/Busy";
import "./parts/sliding";

interface Loaded { component: ComponentType<PageProps>; query: URLSearchParams }

const loaded = signal<Loaded | null>(null);

function App() {
  const now = loaded.value;
  return (
    <Frame alone={copy !== null || (now?.query ?? query.value).has("folder")} shown={now?.query.toString() ?? null}>
      {asksForKey.value ? <SignIn /> : now ? <now.component key={now.query.toString()} query={now.query} /> : <Busy />}
    </Frame>
  );
}

follow();
effect(() => {
  const asked = query.value;
  const show = (component: ComponentType<PageProps>) => { if (query.peek() === asked) loaded.value = { component, query: asked }; };
  pageOf(asked).load().then((module) => show(module.default), () => show(Unfetched));
});
render(<App />, document.getElementById("app")!);
