// When a page has reason to doubt its connection: after a sleep, and when the network is back. Nothing about sockets here.

/** How often the time is looked at, in milliseconds. Hidden pages are slowed down to one look a minute. */
const LOOK_EVERY = 5_000;

/** What watches for the end of a sleep. */
export interface Watch {
  /** Look at the time now, instead of at the next turn of the timer. */
  look(): void;
  /** Watch no longer. */
  stop(): void;
}

/**
 * Tell when the page wakes up.
 *
 * @param sleepThreshold How long timers must have stood still to count as sleep, in milliseconds.
 * @param onWake Called with true when connections from before cannot be trusted, with false when only the user is back.
 */
export function watchWake(sleepThreshold: number, onWake: (isSuspect: boolean) => void): Watch {
  if (typeof window === "undefined" || typeof document === "undefined") return { look: () => {}, stop: () => {} };
  const lookEvery = Math.min(LOOK_EVERY, sleepThreshold / 2);
  let lookedAt = Date.now();

  /** Return whether nothing ran for so long that this must have been sleep. */
  const hasSlept = (): boolean => {
    const gap = Date.now() - lookedAt;
    lookedAt = Date.now();
    return gap > sleepThreshold + lookEvery;
  };
  const look = (): void => void (hasSlept() && onWake(true));
  const greet = (): void => onWake(hasSlept());
  const greetIfVisible = (): void => void (document.visibilityState === "visible" && greet());
  const distrust = (): void => onWake(true);

  const timer = setInterval(look, lookEvery);
  document.addEventListener("visibilitychange", greetIfVisible);
  document.addEventListener("resume", greet);
  window.addEventListener("pageshow", greet);
  window.addEventListener("online", distrust);
  const stop = (): void => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", greetIfVisible);
    document.removeEventListener("resume", greet);
    window.removeEventListener("pageshow", greet);
    window.removeEventListener("online", distrust);
  };
  return { look, stop };
}
