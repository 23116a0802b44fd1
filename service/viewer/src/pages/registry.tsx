// The models, or the datasets, of a service: how each stands, and registering another.

import type { ComponentChildren } from "preact";
import { Body } from "../parts/Body";
import { Icon } from "../parts/Icon";
import { StandingBadge } from "../parts/Standing";
import { Empty, Ghosts, Wrong } from "../parts/States";
import { type Kind, ONE, type Of, useRegistered } from "../registered";
import { Register } from "../upload/Register";

interface Props<K extends Kind> { kind: K; title: string; none: ComponentChildren; told: (one: Of<K>) => ComponentChildren; adding: boolean }

export function Registry<K extends Kind>({ kind, title, none, told, adding }: Props<K>) {
  const all = useRegistered(kind), found = all.value.value, problem = all.problem.value;
  const add = <a class="button primary" href={`?${kind}&add`}><Icon name="plus" />New {ONE[kind]}</a>;
  return (
    <Body title={title} actions={adding ? <a class="button" href={`?${kind}`}>Close</a> : add}>
      {adding && <Register kind={kind} />}
      {problem && <Wrong problem={problem} what={`The ${kind}`} again={all.again} held={found !== null} />}
      {!found && !problem && <Ghosts count={3} kind="line" />}
      {found && !found.length && !adding && <Empty title={`No ${ONE[kind]} yet`}>{none}{add}</Empty>}
      {found && found.length > 0 && (
        <ul class="lines">
          {found.map((one) => (
            <li key={one.id} class="line">
              <div><h2><a class="whole" href={`?${ONE[kind]}=${one.id}`}>{one.name}</a></h2><p class="quiet">{told(one)}</p></div>
              <StandingBadge standing={one.state} />
            </li>
          ))}
        </ul>
      )}
    </Body>
  );
}
