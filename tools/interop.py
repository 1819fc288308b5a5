#!/usr/bin/env python3
"""Makes docs/interop.md of what a run of the real-peer tests wrote down.

    interop.py RESULTS           writes the table
    interop.py --check [RESULTS] says whether the table that is there has the rows it must have, and, with results,
                                 whether that run agrees with it; ends with 1 if not
"""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'Tests', 'RealPeers'))
from testbed.interop import BEHAVIOURS  # noqa: E402

PAGE = os.path.join(ROOT, 'docs', 'interop.md')
PROGRAMS = ('baresip-core', 'linphone-cli', 'twinkle-console', 'kamailio', 'asterisk', 'sip-tester')
HEAD = '''# Interoperability

Which behaviour was seen to work with which client and PBX, by the real-peer tests (`Tests/RealPeers`): ✓ passed, ✗ failed,
empty: not tried with this one. Written by `make interop` from a run of the tests; not to be edited by hand.
The last column names the tests in virtual time, where there are such.

'''


def read(path):
    """(behaviour, client, transport, PBX) to whether all its tests passed."""
    found = {}
    with open(path) as file:
        for line in file:
            row = json.loads(line)
            key = row['behaviour'], row['client'], row['transport'].upper(), row['pbx']
            found[key] = found.get(key, True) and row['passed']
    return found


def versions():
    lines = []
    for program in PROGRAMS:
        shown = subprocess.run(['dpkg-query', '-W', '-f', '${Version}', program], capture_output=True, text=True).stdout
        if shown:
            lines.append(f'{program} {shown}')
    return lines


def table(found):
    columns = sorted({key[1:] for key in found})
    head = ['behaviour'] + [f'{client}, {transport}, {pbx}' for client, transport, pbx in columns] + ['virtual time']
    lines = ['| ' + ' | '.join(head) + ' |', '| --- |' + ' :-: |' * len(columns) + ' --- |']
    marks = {True: '✓', False: '✗', None: ''}
    for name, text, swift in BEHAVIOURS:
        cells = [marks[found.get((name, *column))] for column in columns]
        proved = ', '.join(f'`{test}`' for test in swift.split())
        lines.append('| ' + ' | '.join([text] + cells + [proved]) + ' |')
    return '\n'.join(lines) + '\n'


def cells(page):
    """The table of a page again: (behaviour's text, column's head) to its mark."""
    rows = [[cell.strip() for cell in line.strip().strip('|').split('|')] for line in page.splitlines() if line.startswith('|')]
    head, body = rows[0], rows[2:]
    return {(row[0], column): mark for row in body for column, mark in zip(head[1:-1], row[1:-1])}, [row[0] for row in body]


def differences(page, found=None):
    """What is wrong with a page, in words."""
    there, rows = cells(page)
    wanted = [text for _, text, _ in BEHAVIOURS]
    problems = [f'no row: {text}' for text in wanted if text not in rows]
    problems += [f'not a known behaviour: {text}' for text in rows if text not in wanted]
    problems += [f'failed: {row}, {column}' for (row, column), mark in there.items() if mark == '✗']
    texts = {name: text for name, text, _ in BEHAVIOURS}
    for (name, client, transport, pbx), passed in sorted((found or {}).items()):
        mark = there.get((texts[name], f'{client}, {transport}, {pbx}'), '')
        if mark != ('✓' if passed else '✗'):
            problems.append(f'{texts[name]} with {client}, {transport}, {pbx}: the run says {passed}, the page "{mark}"')
    return problems


def main():
    arguments = [a for a in sys.argv[1:] if a != '--check']
    found = read(arguments[0]) if arguments else None
    if '--check' in sys.argv[1:]:
        with open(PAGE) as file:
            problems = differences(file.read(), found)
        print('\n'.join(problems) or 'docs/interop.md is as it must be')
        return 1 if problems else 0
    if found is None:
        sys.exit(__doc__)
    with open(PAGE, 'w') as file:
        file.write(HEAD + 'Seen with: ' + ', '.join(versions()) + '.\n\n' + table(found))
    failed = sum(1 for passed in found.values() if not passed)
    print(f'{len(found)} results, {failed} failed: {PAGE}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
