#!/usr/bin/env python3
"""How a job list scales: a thousand workers on a hundred thousand pictures, simulated.

    scripts/simulate_workers.py [--workers 1000] [--pictures 100000] [--tiles 4] [--seconds 60]

Each worker does its share, then what is left of the shares behind it, as `unmar work` does: it
passes by a share that is marked as done, and a tile that is done or claimed. Times of tiles are
log-normal. Some machines are slow, and some die in the middle of a tile, whose claim may be taken
over two minutes later. Counts what the shared file system has to do."""

import argparse
import collections
import heapq
import random

STALE, TOUCH = 120, 20  # s, as in tile_store.h


class Run:
    def __init__(self, a, shares, helping=True, marked=True):
        self.random = random.Random(1)
        self.a, self.helping, self.marked = a, helping, marked
        tiles = a.pictures * a.tiles
        self.bounds = [(tiles * k // shares, tiles * (k + 1) // shares) for k in range(shares)]
        self.shares = shares
        self.next = [begin for begin, _ in self.bounds]  # first tile that nobody has begun
        self.again = [[] for _ in range(shares)]         # (from when, tile) whose worker died
        self.left = [end - begin for begin, end in self.bounds]
        self.operations = collections.Counter()
        self.work = 0.0

    def take(self, share, now):
        """A tile of the share, or None, and when a stale claim will be free."""
        self.operations["look for a mark"] += 1
        if self.left[share] == 0 and self.marked:
            return None, None
        begin, end = self.bounds[share]
        if self.next[share] < end:
            self.next[share] += 1
            return self.next[share] - 1, None
        # Nothing that nobody is at: all its tiles were looked at for that.
        self.operations["look for a tile"] += end - begin
        for i, (since, tile) in enumerate(self.again[share]):
            if since <= now:
                del self.again[share][i]
                return tile, None
        return None, min((since for since, _ in self.again[share]), default=None)

    def go(self):
        a, draw = self.a, self.random
        slow = {w for w in range(a.workers) if draw.random() < a.slow}
        mortal = {w for w in range(a.workers) if draw.random() < a.dying}
        queue = [(0.0, w, 0, None) for w in range(a.workers)]  # when, who, shares passed, tile that is finished
        heapq.heapify(queue)
        end = 0.0
        while queue:
            now, worker, passed, finished = heapq.heappop(queue)
            home = worker * self.shares // a.workers
            if finished is not None:
                self.left[finished] -= 1
                end = max(end, now)
                if self.left[finished] == 0:
                    self.operations["write a mark"] += 1
            soonest = None
            while passed < (self.shares if self.helping else 1):
                share = (home + passed) % self.shares
                tile, free = self.take(share, now)
                if tile is not None:
                    break
                if free is not None:
                    soonest = min(free, soonest or free)
                passed += 1
            else:
                if soonest is not None:  # `work` is started again, by Slurm or by hand
                    heapq.heappush(queue, (soonest, worker, 0, None))
                continue
            seconds = draw.lognormvariate(0, 0.5) * a.seconds * (5 if worker in slow else 1)
            self.work += seconds
            self.operations["claim, write, rename, remove"] += 5
            self.operations["touch"] += int(seconds / TOUCH)
            if worker in mortal and draw.random() < 0.02:
                self.again[share].append((now + seconds / 2 + STALE, tile))
                continue
            heapq.heappush(queue, (now + seconds, worker, passed, share))
        return end


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--tiles", type=int, default=4, help="of a picture")
    parser.add_argument("--seconds", type=float, default=60, help="of a tile, the median")
    parser.add_argument("--slow", type=float, default=0.02, help="share of machines that take 5 times as long")
    parser.add_argument("--dying", type=float, default=0.01, help="share of machines that die, in one tile of 50")
    a = parser.parse_args()
    tiles = a.pictures * a.tiles
    print(f"{a.workers} workers, {a.pictures} pictures of {a.tiles} tiles, {a.seconds:g} s a tile")
    print("| way | hours | of the ideal | operations a tile | operations a second |")
    print("|---|---|---|---|---|")
    for name, helping, marked in (("shares alone", False, True), ("with help", True, False), ("with help and marks", True, True)):
        run = Run(a, a.workers, helping, marked)
        end = run.go()
        operations = sum(run.operations.values())
        done = tiles - sum(run.left)
        print(f"| {name} | {end / 3600:.2f} | {run.work / a.workers / end:.0%} | {operations / tiles:.1f} | "
              f"{operations / end:.0f} |" + (f" {tiles - done} tiles missing" if done < tiles else ""))


if __name__ == "__main__":
    main()
