// A line below the header while the service cannot work, with what to do about it.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Problem, json } from "../api";
import { Icon } from "../parts/Icon";
import { sentence } from "../parts/words";

const LOOK = 20_000, LOOK_AGAIN = 3_000; // milliseconds

export function Health() {
  const problem = useSignal<Problem | null>(null);
  useEffect(() => {
    let timer = 0, gone = false;
    const look = async () => {
      if (!document.hidden) problem.value = await json("readyz").then(() => null, (error) => (error instanceof Problem ? error : null));
      if (!gone) timer = window.setTimeout(look, problem.value ? LOOK_AGAIN : LOOK);
    };
    void look();
    return () => { gone = true; clearTimeout(timer); };
  }, []);
  if (!problem.value) return null;
  return <p class="health" role="alert"><Icon name="warning" /><span><strong>{named(problem.value)}</strong> {sentence(problem.value.message)}</span></p>;
}

function named({ status, message }: Problem): string {
  if (status === 0) return "Not connected.";
  return message.includes("worker") ? "Nothing is being worked on." : "The service is not ready.";
}
