// Scales of four equal steps, so that the grid lines of two axes are the same.

export const STEPS = 4;
const NICE = [1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10];
const ROUND = [1, 2, 5, 10]; // few digits, where an axis does not begin at 0
const DECIBELS = [5, 10, 15, 20, 25, 30];

function known(values) {
  return values.filter((value) => value !== null && Number.isFinite(value));
}

// Round numbers from the first one that is not below `least`, upwards.
function* niceSteps(least, factors) {
  for (let power = 10 ** Math.floor(Math.log10(least)); ; power *= 10) {
    for (const each of factors) if (each * power >= least * 0.9999) yield each * power;
  }
}

// From 0 to a round number that no value exceeds.
export function fromZero(values, least) {
  const wanted = Math.max(least, ...known(values)) / STEPS;
  return { low: 0, step: niceSteps(wanted, NICE).next().value };
}

// From one limit to the other; where a limit is null, as far as the values go, in round numbers.
// An open axis spans at least a tenth of the largest value, so that noise does not look large.
export function within(values, [low, high]) {
  if (low !== null && high !== null) return { low, step: (high - low) / STEPS };
  const inside = (value) => Math.min(Math.max(value, low ?? -Infinity), high ?? Infinity);
  const given = known(values).map(inside);
  if (!given.length) given.push(inside(0));
  const [least, most] = [Math.min(...given, high ?? Infinity), Math.max(...given, low ?? -Infinity)];
  const largest = Math.max(Math.abs(least), Math.abs(most)) || 1;
  const slack = 1e-9 * largest;
  const wanted = Math.max(most - least, largest / 10) / STEPS;
  for (const step of niceSteps(wanted, low === null ? ROUND : NICE)) {
    const open = high === null ? Math.floor((least + slack) / step) * step : high - STEPS * step;
    const from = low ?? open;
    if (from <= least + slack && from + STEPS * step >= most - slack) return { low: from, step };
  }
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
