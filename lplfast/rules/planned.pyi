from .rule import Rule

class Planned(Rule):
    def __init__(self) -> None: ...
