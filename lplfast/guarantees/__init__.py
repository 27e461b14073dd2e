"""What is known without taking a step, and whether it held.

In: a `Problem` and a `Network`; afterwards a history. Out: `constants` at one network, `bounds` and rates from
an initialization alone, `initial` (what a run's start guarantees), `audit` (which inequalities held).
"""
