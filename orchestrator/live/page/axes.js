// Scales of four equal steps, so that the grid lines of two axes are the same.

export const STEPS = 4;
const NICE = [1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10];
const DECIBELS = [5, 10, 15, 20, 25, 30];

export const SHARE = { low: 0, step: 0.25 };

function known(values) {
  return values.filter((value) => value !== null && Number.isFinite(value));
}

// From 0 to a round number that no value exceeds.
export function fromZero(values, least) {
  const wanted = Math.max(least, ...known(values)) / STEPS;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const factor = NICE.find((each) => each * power >= wanted * 0.9999);
  return { low: 0, step: factor * power };
}

export function decibels(values) {
  const given = known(values);
  const [least, most] = given.length ? [Math.min(...given), Math.max(...given)] : [0, 20];
  const lowest = (step) => Math.floor(least / step) * step;
  const step = DECIBELS.find((each) => lowest(each) + STEPS * each >= most) ?? DECIBELS.at(-1);
  return { low: lowest(step), step };
}

// Seconds shown, and between two marks.
export function span(seconds) {
  if (seconds <= 120) return { length: 120, step: 30, mark: (at) => `−${at}\u202fs` };
  const minutes = (at) => `−${at / 60}\u202fmin`;
  if (seconds <= 300) return { length: 300, step: 60, mark: minutes };
  return { length: 600, step: 120, mark: minutes };
}
