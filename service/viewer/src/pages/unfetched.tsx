// In place of a page whose script could not be fetched: the service is gone, or newer than this page.

import { Message } from "../parts/Problem";

export default function UnfetchedPage() {
  return (
    <Message title="The page cannot be fetched">
      <p>The service does not answer, or was updated since this page was opened. Is it still running? On the machine it runs on, <code>atlas up</code> starts it.</p>
      <button type="button" class="primary" onClick={() => location.reload()}>Try again</button>
    </Message>
  );
}
