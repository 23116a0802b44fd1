// What an atlas without its service lacks, said where it would be.

import { copy } from "../offline";

const LACKS = "All samples of a cell, your own pictures, selections and comparisons take the service that made it.";

export function NoService() {
  return <p class="quiet no-service">This is {copy ? "an offline copy" : "a folder"} of an atlas. {LACKS}</p>;
}
