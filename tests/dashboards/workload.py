#!/usr/bin/python3
# workload.py - allocates and frees until it is ended: the process that the live dashboard test looks at.
# Uses many size classes, large objects and several threads, and keeps its memory bounded. Run it with PYTHONMALLOC=malloc,
# or Python's own allocator answers the small requests.
import random
import threading
import time


def churn(seed):
    choose, kept = random.Random(seed), []
    while True:
        for _ in range(40):
            size = choose.choice((choose.randrange(1, 256), choose.randrange(256, 32768), choose.randrange(32768, 500000)))
            kept.append(bytearray(size))
            if len(kept) > 300:
                kept[choose.randrange(len(kept))] = kept[-1]
                kept.pop()
        time.sleep(0.02)


def short_lived():
    while True:
        thread = threading.Thread(target=bytearray, args=(5000,))
        thread.start()
        thread.join()
        time.sleep(0.05)


for number in range(2):
    threading.Thread(target=churn, args=(number,), daemon=True).start()
short_lived()
