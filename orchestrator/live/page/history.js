// What the page knows of the last ten minutes: asked for once, then only what is new. A link whose
// metric changes starts again, as it does in the system.

export const KEPT_S = 600;
const MIN_RATE_S = 3;

export class History {
  #run = null;
  #columns = new Map();
  #metrics = new Map();

  // Time of the newest sample of any link; null where everything is to be asked for.
  get since() {
    const newest = [...this.#columns.values()].map(({ uptime_s: times }) => times.at(-1) ?? -Infinity);
    const last = Math.max(...newest);
    return last > -Infinity ? last : null;
  }

  // Takes a status in; false where it belongs to another run, so that all must be asked for again.
  take(status) {
    const same = this.#run === null || this.#run === status.run;
    this.#run = same ? status.run : null;
    if (!same) this.#columns.clear();
    if (!same) return false;
    for (const { link, metric, history } of status.links) {
      const kept = (this.#metrics.get(link) === metric.name && this.#columns.get(link)) || {};
      this.#metrics.set(link, metric.name);
      for (const [name, values] of Object.entries(history)) {
        kept[name] = (kept[name] ?? []).concat(values);
      }
      const old = kept.uptime_s.findIndex((at) => at >= kept.uptime_s.at(-1) - KEPT_S);
      if (old > 0) for (const name of Object.keys(kept)) kept[name] = kept[name].slice(old);
      this.#columns.set(link, kept);
    }
    return true;
  }

  of(link) {
    return this.#columns.get(link);
  }
}

// Distance of two samples from which on nothing is known in between.
export function gapOf(times) {
  const steps = times.slice(1).map((at, index) => at - times[index]).sort((a, b) => a - b);
  return Math.max(4, 4 * (steps[Math.floor(steps.length / 2)] ?? 1));
}

// Frames per second over the last `window` seconds, from totals; null before enough is known.
export function rates(times, totals, window, gap) {
  let first = 0;
  return totals.map((total, index) => {
    if (index && times[index] - times[index - 1] > gap) first = index;
    while (times[index] - times[first] > window) first += 1;
    const seconds = times[index] - times[first];
    return seconds >= Math.min(window, MIN_RATE_S) ? (total - totals[first]) / seconds : null;
  });
}
