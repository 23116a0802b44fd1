// An address that asks for nothing that there is.

import { Body } from "../parts/Body";

export default function UnknownPage() {
  return (
    <Body title="There is no such page" narrow>
      <p>The address asks for something that this application does not have. It may be mistyped, or from a newer version.</p>
      <p><a class="button primary" href="./">See the atlases</a></p>
    </Body>
  );
}
