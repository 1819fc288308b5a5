"""What a process costs, by the scheduler's own count, and where a benchmark writes it."""
import json
import os
import statistics
import time


def cpu_nanoseconds(pids):
    """CPU time of all live threads; schedstat counts finer than the ticks of /proc/PID/stat."""
    total = 0
    for pid in pids:
        for thread in os.listdir(f'/proc/{pid}/task'):
            try:
                with open(f'/proc/{pid}/task/{thread}/schedstat') as f:
                    total += int(f.read().split()[0])
            except OSError:
                pass
    return total


def spread(values):
    return {'min': min(values), 'median': statistics.median(values), 'max': max(values), 'n': len(values)}


def write_results(folder, name, rows, text):
    """`name`.json and `name`.txt in `folder`, and the text to be seen."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, f'{name}.json'), 'w') as f:
        json.dump({'at': time.strftime('%Y-%m-%dT%H:%M:%S'), 'rows': rows}, f, indent=1)
    with open(os.path.join(folder, f'{name}.txt'), 'w') as f:
        f.write(text)
    print('\n' + text)
