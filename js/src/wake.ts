// When a page has reason to doubt its connection: after a sleep, and when the network is back. Nothing about sockets here.

/** How often the time is looked at, in milliseconds. Hidden pages are slowed down to one look a minute. */
const LOOK_EVERY = 5_000;

/**
 * Tell when the page wakes up, until the function that is returned is called.
 *
 * @param sleepThreshold How long timers must have stood still to count as sleep, in milliseconds.
 * @param onWake Called with true when connections from before cannot be trusted, with false when only the user is back.
 */
export function watchWake(sleepThreshold: number, onWake: (isSuspect: boolean) => void): () => void {
  if (typeof window === "undefined" || typeof document === "undefined") return () => {};
  let lookedAt = Date.now();

  /** Return whether nothing ran for so long that this must have been sleep. */
  const hasSlept = (): boolean => {
    const gap = Date.now() - lookedAt;
    lookedAt = Date.now();
    return gap > sleepThreshold + LOOK_EVERY;
  };
  const look = (): void => void (hasSlept() && onWake(true));
  const greet = (): void => onWake(hasSlept());
  const greetIfVisible = (): void => void (document.visibilityState === "visible" && greet());
  const distrust = (): void => onWake(true);

  const timer = setInterval(look, LOOK_EVERY);
  document.addEventListener("visibilitychange", greetIfVisible);
  document.addEventListener("resume", greet);
  window.addEventListener("pageshow", greet);
  window.addEventListener("online", distrust);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", greetIfVisible);
    document.removeEventListener("resume", greet);
    window.removeEventListener("pageshow", greet);
    window.removeEventListener("online", distrust);
  };
}
