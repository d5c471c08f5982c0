// The end of work in the background, for whoever must not go on before it. The work itself is not ended.

/** Resolves when `work` has. @throws the reason of the signal, which waits for nothing; what `work` throws */
export async function endOf(work: Promise<void>, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const waited = Promise.withResolvers<void>();
  const give = (): void => waited.reject(signal?.reason);
  signal?.addEventListener('abort', give, { once: true });
  try {
    await Promise.race([work, waited.promise]);
  } finally {
    signal?.removeEventListener('abort', give);
  }
}
