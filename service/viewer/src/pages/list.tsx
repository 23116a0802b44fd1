// The atlases of a service.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Problem, listOf } from "../api";
import { Busy } from "../parts/Busy";
import { Message } from "../parts/Problem";
import type { Job } from "../types";

const POLL = 1500; // milliseconds between looks while something runs, or nothing is there

export default function ListPage() {
  const jobs = useSignal<Job[] | null>(null), problem = useSignal<Problem | null>(null);
  useEffect(() => {
    let timer = 0;
    const look = async () => {
      try {
        jobs.value = await listOf<Job>("v1/atlases");
        problem.value = null;
      } catch (error) {
        problem.value = error as Problem;
      }
      if (problem.value || !jobs.value?.length || jobs.value.some(({ state }) => ["queued", "running"].includes(state))) timer = window.setTimeout(look, POLL);
    };
    void look();
    return () => clearTimeout(timer);
  }, []);
  if (problem.value) return <Message title="The atlases cannot be listed"><p>{problem.value.message}</p></Message>;
  if (!jobs.value) return <Busy />;
  if (!jobs.value.length) return <Message title="No atlas yet"><p>Register a model and a dataset, then ask for their atlas:</p><pre>{COMMANDS}</pre></Message>;
  return (
    <main class="list">
      <h1>Atlases</h1>
      <ul>{jobs.value.map((job) => <li key={job.id}><a href={`./?atlas=${encodeURIComponent(job.id)}`}><strong>{job.name || job.id}</strong> <span class={job.state}>{job.state}</span></a></li>)}</ul>
    </main>
  );
}

const COMMANDS = "atlas models add model.json\natlas datasets add dataset.json\natlas submit --model ID --dataset ID --layer NAME --wait";
