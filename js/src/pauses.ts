// How long to wait between two attempts to connect. No timers here.

import type { SocketOptions } from "./options";

type PauseOptions = Pick<
  SocketOptions,
  "maxReconnectionDelay" | "minReconnectionDelay" | "reconnectionDelayGrowFactor"
>;

/**
 * Return the pause before an attempt, in milliseconds.
 *
 * Random at every step, the longest included: pages that lost the same server together come back one by one.
 *
 * @param failures How many attempts have failed since a connection was last open, 0 for the first.
 * @param random A number from 0 to 1.
 */
export function pauseBefore(failures: number, options: PauseOptions, random: number = Math.random()): number {
  const { minReconnectionDelay: shortest, maxReconnectionDelay: longest } = options;
  const ceiling = Math.min(2 * shortest * options.reconnectionDelayGrowFactor ** failures, longest);
  return Math.min(ceiling / 2 + (random * ceiling) / 2, longest);
}
