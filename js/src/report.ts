// What becomes of errors in code of the page that is called from here.

/** Report an error as uncaught, as browsers do with errors of listeners, without stopping anything. */
export function report(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}
