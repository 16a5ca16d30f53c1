/** Every choice of one from each list, none twice. */
export function vectors(lists: number[][]): number[][] {
  return lists.reduce<number[][]>(
    (chains, list) =>
      chains.flatMap((chain) => list.filter((one) => !chain.includes(one)).map((one) => [...chain, one])),
    [[]],
  )
}

/** Every set of `size` of the items, in their order. */
export function subsets(items: number[], size: number): number[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, index) => subsets(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]))
}

/** Whether the rows can each serve a step of their own. */
export function canServe(set: number[], steps: number[], serves: boolean[][]): boolean {
  const [first, ...rest] = set
  if (first === undefined) return true
  const others = (step: number): number[] => steps.filter((other) => other !== step)
  return steps.some((step) => serves[first]![step]! && canServe(rest, others(step), serves))
}
