"""Where a command's run starts: drawn layers, layers in files, or a run to go on with."""

from ..network import Network
from ..run.run import Run
from ..validation import as_count, as_number

__all__ = ["Start", "add_start_options", "check_start", "start_from"]

DRAWING = ("width", "std", "seed", "implicit")


def add_start_options(command):
    """Declare the options that say where a run starts."""
    group = command.add_argument_group("network")
    group.add_argument("--width", type=int, metavar="H", help="hidden width (default 1000)")
    group.add_argument("--implicit", action="store_true",
                       help="draw what training depends on, without wide layers: any width below 2^63")
    group.add_argument("--std", type=float, metavar="S",
                       help="standard deviation of the initial weights (default H^(-1/4))")
    group.add_argument("--seed", type=int, help="seed of the initial weights (default 0)")
    group.add_argument("--layers", nargs=2, metavar="FILE",
                       help="start from layers in two files, (n, h) and (h, m), .npy or text")
    group.add_argument("--continue", dest="continued", metavar="RUN.NPZ",
                       help="go on with a saved run, or a checkpoint, to the last bit; say its data and loss again. "
                       "The wide layers of a checkpoint need its network again, too: the options above")


class Start:
    """What `train` begins with, a Network or a Run, and what is said of it."""

    def __init__(self, network, said):
        self.network, self.said = network, said

    @property
    def taken(self):
        """How many steps have been taken before."""
        return self.network.iterations if isinstance(self.network, Run) else 0

    @property
    def layers(self):
        """The network as it is now."""
        return self.network.network if isinstance(self.network, Run) else self.network


def check_start(arguments):
    """Refuse options that contradict each other, or are none.

    Raises
    ------
    TypeError, ValueError

    """
    drawing = _drawing(arguments)
    if arguments.layers and drawing:
        raise ValueError(f"--layers: expected no {drawing[0]} beside it, since the files have all of the network")
    if arguments.width is not None:
        as_count("--width", arguments.width)
    if arguments.std is not None:
        as_number("--std", arguments.std)
    if arguments.seed is not None:
        as_count("--seed", arguments.seed, least=0)


def _drawing(arguments):
    """Return the given options that say how layers are drawn."""
    given = {name: getattr(arguments, name) for name in DRAWING}
    return [f"--{name}" for name, value in given.items() if value is not None and value is not False]


def start_from(arguments, n, m):
    """Return the start of a run from n inputs to m outputs.

    Raises
    ------
    OSError, TypeError, ValueError, MemoryError
        If it cannot be made.

    """
    if arguments.continued is None:
        return _fresh(arguments, n, m)
    initial = _fresh(arguments, n, m).network if arguments.layers or _drawing(arguments) else None
    run = Run.load(arguments.continued, network=initial)
    return Start(run, f"as in {arguments.continued}, after {run.iterations} iterations")


def _fresh(arguments, n, m):
    if arguments.layers:
        return Start(Network.from_files(*arguments.layers), f"from {' and '.join(arguments.layers)}")
    width = 1000 if arguments.width is None else arguments.width
    std = width ** -0.25 if arguments.std is None else arguments.std
    seed = 0 if arguments.seed is None else arguments.seed
    said = f"normal weights of deviation {std:.3g}"
    if arguments.implicit:
        return Start(Network.gaussian_implicit(n, width, m, std=std, rng=seed), f"{said}, drawn without wide layers")
    try:
        return Start(Network.gaussian(n, width, m, std=std, rng=seed), said)
    except MemoryError:
        raise MemoryError(f"--width: expected layers that fit in memory, got {8 * (n + m) * width:.3g} bytes of them; "
                          "--implicit draws a network of that width without its wide layers") from None
