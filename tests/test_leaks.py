"""Small calls leave nothing behind: neither memory nor open files."""

import gc
import tracemalloc

import pytest
from leaks import CALLS, descriptors, grown

# Bytes a call, over so many calls: objects that libraries keep, and replace by traced ones in time, come to half of it.
FLAT = 700
COUNT = 80


def traced():
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def leaked(call, count=COUNT):
    """Return the bytes a call that Python was asked for, by any module, and never got back."""
    tracemalloc.start()
    try:
        return grown(call, count, traced) / count
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", CALLS)
def test_memory_and_descriptors_are_flat(name):
    call, seldom = CALLS[name]
    call()      # libraries have files that they open once
    opened = descriptors()
    assert leaked(call, max(COUNT // seldom, 20)) < FLAT
    assert descriptors() == opened


@pytest.mark.parametrize("name", ["train", "local_constants"])
def test_a_kilobyte_a_call_is_noticed(name):
    kept, (call, _) = [], CALLS[name]
    assert leaked(lambda: (call(), kept.append(bytes(1000)))) > FLAT
