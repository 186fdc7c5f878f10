/**
 * Ratios are taken within a round, where both sides saw the same machine, and their median over
 * the rounds: what the machine does over minutes cancels out.
 */

/** Each side once a round, one after the other, in the order given. */
export async function inRounds<Side extends string, Value>(
  rounds: number,
  sides: { readonly [S in Side]: () => Promise<Value> },
): Promise<readonly { readonly [S in Side]: Value }[]> {
  const results: { [S in Side]: Value }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const values: Partial<Record<Side, Value>> = {};
    for (const side of Object.keys(sides) as Side[]) values[side] = await sides[side]();
    results.push(values as { [S in Side]: Value });
  }
  return results;
}
