"""The papers' experiments: each a module with `reproduce(*, seeds)`, which returns a `Report`."""

from . import edge, initialization, lazy, local_constants, lora, losses, steps, tightness, width

__all__ = ["EXPERIMENTS"]

# name on the command line -> module
EXPERIMENTS = {
    "steps": steps,
    "tightness": tightness,
    "local-constants": local_constants,
    "width": width,
    "initialization": initialization,
    "losses": losses,
    "lazy": lazy,
    "edge": edge,
    "lora": lora,
}
