// Classes and channels, beyond the cells of the map.

import { classesOf } from "../classes";
import { Busy } from "../parts/Busy";
import { Choice } from "../parts/Choice";
import { Icon } from "../parts/Icon";
import type { View } from "../view";
import { ChannelList, ChannelPage } from "./Channels";
import { ClassList, ClassPage } from "./Classes";
import { type Kind, channelsOf, galleryOf } from "./showing";

/** Whether there is a model to look into. */
export const hasGallery = (view: View): boolean => view.source.live;

export function Gallery({ view }: { view: View }) {
  const { kind, label, channel } = galleryOf(view), known = channelsOf(view).value, classes = classesOf(view).value;
  if (!known) return <Busy />;
  const channels = known.get(view.layer.value) ?? 0;
  const shown = kind.value === "classes" && !classes.length ? "channels" : kind.value;
  const one = shown === "classes" ? label : channel;
  return (
    <section class="gallery" aria-label="Gallery">
      {one.value !== null
        ? <button type="button" class="back" onClick={() => { one.value = null; }}><Icon name="back" /> All {shown}</button>
        : classes.length > 0 && <Choice label="Gallery of" value={shown} onPick={(value) => { kind.value = value as Kind; }} options={[{ value: "classes", text: "Classes" }, { value: "channels", text: "Channels" }]} />}
      {shown === "classes"
        ? label.value === null ? <ClassList view={view} classes={classes} /> : <One view={view} label={label.value} classes={classes} />
        : channel.value === null ? <ChannelList key={view.layer.value} view={view} channels={channels} /> : <ChannelPage view={view} channel={channel.value} channels={channels} />}
    </section>
  );
}

function One({ view, label, classes }: { view: View; label: number; classes: string[] }) {
  if (label >= classes.length) return <p class="failed">The model has classes 0 to {classes.length - 1}, no class {label}.</p>;
  return <ClassPage view={view} label={label} name={classes[label]!} />;
}
