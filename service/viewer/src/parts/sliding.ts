// A finger that scrolls the page from a slider on leaves it as it was: browsers move it at the first touch, and take that back for none.

let held: { slider: HTMLInputElement; value: string } | null = null;

const sliderOf = ({ target }: Event) => (target instanceof HTMLInputElement && target.type === "range" ? target : null);

addEventListener("pointerdown", (event) => {
  const slider = event.pointerType === "touch" ? sliderOf(event) : null;
  held = slider && { slider, value: slider.value };
}, true);

// The touch has become a scroll.
addEventListener("pointercancel", (event) => {
  if (!held || held.slider !== sliderOf(event) || held.slider.value === held.value) return;
  held.slider.value = held.value;
  held.slider.dispatchEvent(new Event("input", { bubbles: true }));
}, true);
