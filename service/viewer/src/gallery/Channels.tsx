// The channels of the layer, some at a time, and the page of one.

import { useSignal } from "@preact/signals";
import { decimal } from "../parts/words";
import type { View } from "../view";
import { heatOf } from "../heat/heat";
import { panelOf } from "../panels/open";
import { Busy } from "../parts/Busy";
import { ProblemLine } from "../parts/Problem";
import { Cells, STRONGEST, SmallHeat, ranked, useHeat } from "./Classes";
import { Drawn } from "./Drawn";
import { Trueness } from "./Trueness";
import { galleryOf } from "./showing";
import type { IconPicture } from "./icons";

const PAGE = 12;

/** The channels of a page; those of one channel's page are asked for together too, so that it is the same job. */
const pageAround = (channel: number, channels: number) => {
  const first = Math.floor(channel / PAGE) * PAGE;
  return Array.from({ length: Math.min(PAGE, channels - first) }, (_, n) => first + n);
};

export function ChannelList({ view, channels }: { view: View; channels: number }) {
  const { channel } = galleryOf(view), place = useSignal(0), first = Math.min(place.value * PAGE, Math.max(0, channels - 1));
  const shown = pageAround(first, channels), last = Math.ceil(channels / PAGE) - 1;
  const turn = (by: number) => () => { place.value = Math.min(last, Math.max(0, place.value + by)); };
  return (
    <>
      <p class="quiet">{view.layer.value} has {channels} channels. Each is shown by what the layer sees on average where that channel is active.</p>
      <nav class="pager" aria-label="Pages of channels">
        <button type="button" disabled={place.value <= 0} onClick={turn(-1)}>Previous</button>
        <span>{shown[0]}–{shown.at(-1)} of {channels}</span>
        <button type="button" disabled={place.value >= last} onClick={turn(1)}>Next</button>
      </nav>
      <Drawn key={`${view.layer.value} ${first}`} view={view} wanted={{ kind: "channels", channels: shown }} ask={`Draw channels ${shown[0]} to ${shown.at(-1)}`}>
        {(pictures, seeded) => (
          <>
            <p class={seeded ? "badge seeded" : "badge"}>{seeded ? "Seeded from data" : "Pure: no data in the picture"}</p>
            <ul class="gallery-cells three" aria-label="Channels">
              {pictures.filter((picture) => shown.includes(picture.channel!)).map((picture) => <li key={picture.n}><Channel picture={picture} onPick={() => { channel.value = picture.channel!; }} /></li>)}
            </ul>
          </>
        )}
      </Drawn>
    </>
  );
}

function Channel({ picture, onPick }: { picture: IconPicture; onPick: () => void }) {
  const { marks = [], whitened_cosine } = picture.fidelity;
  return (
    <button type="button" aria-label={`Channel ${picture.channel}, fidelity ${decimal(whitened_cosine)}${marks.length ? ", marked" : ""}`} onClick={onPick}>
      <img src={picture.url.slice(1)} alt="" />
      <span><strong>{picture.channel}</strong> {marks.length > 0 && <span class="wrong-dot" aria-hidden="true" />} {decimal(whitened_cosine)}</span>
    </button>
  );
}

export function ChannelPage({ view, channel, channels }: { view: View; channel: number; channels: number }) {
  if (channel >= channels) return <p class="failed">{view.layer.value} has channels 0 to {channels - 1}, no channel {channel}.</p>;
  const around = pageAround(channel, channels);
  return (
    <>
      <h2>Channel {channel}</h2>
      <p class="quiet">of {channels} at {view.layer.value}: what the layer sees on average where the channel is active</p>
      <Drawn key={`${view.layer.value} ${around[0]}`} view={view} wanted={{ kind: "channels", channels: around }} ask={`Draw it, with channels ${around[0]} to ${around.at(-1)}`}>
        {(pictures, seeded) => {
          const picture = pictures.find((one) => one.channel === channel)!;
          return <figure><img class="drawn" src={picture.url.slice(1)} alt={`Icon of channel ${channel}`} /><figcaption><Trueness picture={picture} seeded={seeded} /></figcaption></figure>;
        }}
      </Drawn>
      <h3>Where it is active on the map</h3>
      <Where key={channel} view={view} channel={channel} />
    </>
  );
}

function Where({ view, channel }: { view: View; channel: number }) {
  const { heat, problem } = useHeat(view, `channel-${channel}`);
  if (problem) return <ProblemLine problem={problem} />;
  if (!heat) return <Busy>Looking…</Busy>;
  const active = ranked(heat).filter((n) => heat.value[n]! > 0);
  if (!active.length) return <p class="quiet">No cell of this level has it active.</p>;
  return (
    <>
      <SmallHeat heat={heat} label={`Where channel ${channel} is active`} />
      <button type="button" onClick={() => { heatOf(view).of.value = `channel-${channel}`; panelOf(view).value = "heat"; }}>Show it over the map</button>
      <Cells view={view} heat={heat} title="Its strongest cells, by mean activation" cells={active.slice(0, STRONGEST)} />
    </>
  );
}
