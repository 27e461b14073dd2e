"""What a run under way has come to, part by part: what nobody reads is not worked out."""

import threading
import weakref

from ..descent.history import COLUMNS
from ..descent.state import LAYOUT
from ..once import once
from .history import HistoryUnderWay
from .info import RunInfo
from .outcome import outcome_message
from .run import Continuation, Run

__all__ = ["RunParts", "RunUnderWay"]

PARTS = ("history", "status", "message", "network", "iterations", "checks", "counters", "facts", "continuation",
         "guarantee")


class RunParts:
    """The arguments that make a `Run` of a driver where it is, each worked out when it is first asked for."""

    def __init__(self, driver, status, guarantee):
        self.driver, self.plan, self.descent = driver, driver.plan, driver.descent
        self.status, self.guarantee = status, guarantee
        self.iterations = self.descent.t
        self.lock = threading.RLock()       # of a `RunUnderWay`, which may be given to other threads

    def run(self):
        """Return the Run; after another status than "running" the driver may not be advanced any more."""
        if self.status == "running":
            self.history.make_whole()
        return Run(**{name: getattr(self, name) for name in PARTS})

    def let_go(self):
        """Before the loop goes on without a Run of these: make a history whole that somebody has kept by itself."""
        history = vars(self).pop("history", None)
        if history is not None:
            kept = weakref.ref(history)
            del history
            history = kept()
            if history is not None:
                history.make_whole()

    @once
    def _row(self):
        return self.descent.last_row()

    @once
    def _last(self):
        return dict(zip(COLUMNS, self._row.tolist(), strict=True))

    @once
    def _stack(self):
        return self.descent.stack

    @once
    def history(self):
        """The columns that are kept, each made when it is read while the run is under way."""
        recorder, filled = self.driver.recorder, self.descent.filled
        if self.status == "running":
            return HistoryUnderWay(recorder, filled, self._row, self.lock)
        return recorder.history(filled, self._row, ended=True)

    @property
    def message(self):
        """The status in a sentence."""
        return outcome_message(self.status, self.descent, self._last, self.plan.options, self.plan.problem,
                               self.plan.network, self.history)

    @property
    def network(self):
        """The layers as they are."""
        problem, scales = self.plan.problem, self.plan.options.layer_scales
        layers = scales.multiply(self._stack, problem.kernel.shape[0])
        return self.plan.network.replace(problem.from_kernel(layers, self.driver.start))

    @property
    def checks(self):
        """The inequalities checked so far."""
        return self.descent.checks

    @property
    def counters(self):
        """The work done so far."""
        return self.descent.counters

    @property
    def facts(self):
        """What is run."""
        return RunInfo.of(self.plan.problem, self.plan.network, self.plan.options, rule=self.driver.rule_said,
                          run_width=self._stack.shape[1], unreached=self.descent.unreached)

    @property
    def continuation(self):
        """What going on takes."""
        return Continuation(options=self.plan.options.to_dict(), fingerprint=self.plan.problem.fingerprint,
                            layout=LAYOUT, loss=self._last["loss"], run_width=self._stack.shape[1],
                            state=self.descent.state(), start=self.driver.start)


class RunUnderWay(Run):
    """A `Run` for a callback, of which an attribute is made when it is first read.

    What has not been read when the callback has come back is made then by `keep`, if anybody still has the run: the
    loop goes on after that, and what it was is gone.
    """

    def __init__(self, parts):
        self._parts = parts

    def __getattr__(self, name):
        # comes here for what is not there yet
        made = vars(self)
        parts = made.get("_parts")
        if name not in PARTS or parts is None:
            return object.__getattribute__(self, name)      # another thread may have made it a Run: no `super()`
        with parts.lock:
            if name not in made:
                made[name] = getattr(parts, name)
        return made[name]

    def keep(self):
        """Make all that is not there yet, and be a plain Run from now on; of one that is, nothing is left to do."""
        parts = vars(self).get("_parts")
        if parts is not None:
            with parts.lock:
                parts.history.make_whole()
                for name in PARTS:
                    getattr(self, name)
                vars(self).pop("_parts", None)
        self.__class__ = Run

    def __reduce_ex__(self, protocol):
        RunUnderWay.keep(self)      # by its class: another thread may have made it a Run
        return Run.__reduce_ex__(self, protocol)
