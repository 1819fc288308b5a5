"""Loopback addresses. TESTBED_NETWORK (0…255) gives a run a network of its own, so that branches run side by side."""
import os

NETWORK = int(os.environ.get('TESTBED_NETWORK') or 0)


def address(host):
    """Host 10 is 127.0.0.10 in network 0."""
    return f'127.0.{NETWORK}.{host}'


EDGE, PBX, SECOND_PBX, GATEWAY = address(10), address(20), address(21), address(40)
