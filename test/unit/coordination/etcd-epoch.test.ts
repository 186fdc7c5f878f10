import { describe, expect, it } from 'vitest';
import { Epoch } from '../../../src/shared/coordination/etcd/epoch.ts';

const header = (revision: number, cluster = 'one') => ({
  cluster_id: cluster,
  member_id: '1',
  raft_term: '2',
  revision: String(revision),
});
const known = (revision: number): Epoch => {
  const epoch = new Epoch();
  epoch.observe(epoch.mark(), header(revision));
  return epoch;
};

describe('the epoch of etcd', () => {
  it('goes on through answers that cross: the older one is no step back', () => {
    const epoch = known(10);
    const [first, second] = [epoch.mark(), epoch.mark()];
    epoch.observe(second, header(12));
    epoch.observe(first, header(11));
    expect(epoch.ended?.aborted).toBe(false);
  });

  it('ends when an answer is older than what was known when it was asked for', () => {
    const epoch = known(10);
    const before = epoch.ended;
    expect(() => epoch.observe(epoch.mark(), header(9))).toThrow('went back from revision 10 to 9');
    expect([before?.aborted, epoch.ended?.aborted]).toEqual([true, false]);
    epoch.observe(epoch.mark(), header(9));
  });

  it('refuses the answers of another cluster, and does not end by them', () => {
    const epoch = known(10);
    expect(() => epoch.requireSameCluster(header(99, 'two'))).toThrow('cluster two instead of one');
    epoch.requireSameCluster(header(1));
    expect(epoch.ended?.aborted).toBe(false);
  });

  it('takes the first cluster that answers for its own', () => {
    new Epoch().requireSameCluster(header(1, 'any'));
  });

  it('ends once: an answer asked for before fails alone', () => {
    const epoch = known(10);
    const [first, second] = [epoch.mark(), epoch.mark()];
    expect(() => epoch.observe(first, header(3))).toThrow('went back');
    const { ended } = epoch;
    expect(() => epoch.observe(second, header(4))).toThrow('went back');
    expect(epoch.ended).toBe(ended);
    expect(ended?.aborted).toBe(false);
  });

  it('fails an answer of the old etcd that comes after one of the new', () => {
    const epoch = known(10);
    const [first, second] = [epoch.mark(), epoch.mark()];
    expect(() => epoch.observe(first, header(3))).toThrow('went back');
    expect(() => epoch.observe(second, header(11))).toThrow('while it was asked');
    expect(epoch.mark().floor).toBe(3);
  });
});
