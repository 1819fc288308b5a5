"""What surrounds the edge in the real-peer tests: a PBX, phones, keys and the programs that judge.

Python 3.11 and its standard library only. Everything stays on 127.0.0.0/8, every program is started in a
session of its own and stopped by its own pid, and all state lives in one temporary folder.
"""
