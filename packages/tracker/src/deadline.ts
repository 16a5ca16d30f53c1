/** True when the work is done in time, else false. The work goes on either way; it must not reject. */
export async function within(timeoutMs: number, work: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const deadline = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, false)
  })
  const well = await Promise.race([work.then(() => true), deadline])
  clearTimeout(timer)
  return well
}
