"""Tables of numbers in text: which lines are rows, and which first line or column may be names."""

import array
import io
import itertools

import numpy as np

__all__ = ["DelimitedTable", "read_delimited"]

# A first column 0, 1, 2, ... of fewer rows than this is taken for data.
FEWEST_NUMBERED = 3

# What Excel writes where there is no number: it begins as a comment does, and is none.
ERRORS = ("#n/a", "#null!", "#num!", "#name?", "#ref!", "#value!", "#div/0!")

# What pandas, R and Excel write there, beside nan.
MISSING = ("", "na", "n/a", "null", "none", "<na>", *ERRORS)


class DelimitedTable:
    """The rows of a text, as they come; what may be names of columns or rows is asked about, never guessed.

    Attributes
    ----------
    numbers : (rows, columns) array
        The table, when all lines have been read.
    starts_with_zero : bool
        Whether a single column of whole numbers begins with a line "0", which may be a name that pandas gave it.

    """

    def __init__(self, path, *, header, index):
        self.path, self.header, self.index = path, header, index
        # flat, as lists of floats would take many times the file
        self.flat, self.width = array.array("d"), 0
        self.names = self.first = None      # the fields of a header; those of a first line of numbers
        self.whole = True                   # whether all rows but the first hold whole numbers, as written
        self.numbered_from = None           # 0 or 1, as long as the first fields of the rows count on from there
        self.starts_with_zero = False

    def add(self, number, fields):
        """Take the fields of a line that is neither blank nor a comment."""
        if self.names is None and self.first is None and self._is_header(number, fields):
            self.names = fields
            return
        if self.index:
            fields = fields[1:]
        self._check(number, fields)
        if self.first is None:
            self.first, self.line = fields, number
            self.numbered_from = int(fields[0]) if fields[0] in ("0", "1") else None
        elif self.whole:
            self.whole = all(map(_is_whole, fields))
        rows = len(self.flat) // self.width
        if self.numbered_from is not None and fields[0] != str(rows + self.numbered_from):
            self.numbered_from = None
        self.flat.extend(map(float, fields))

    def _is_header(self, number, fields):
        """Whether the first line holds names; if it holds both names and numbers, ask."""
        if self.header is not None:
            return self.header
        if not any(map(_is_number, fields)):
            return True
        if fields[0] in ("", '""') and all(map(_is_number, fields[1:])):
            self._ask(f"line {number}", f"{_some(fields)}, without a name for the first column,",
                      "the names of columns beside labels of rows, as pandas writes both", "header", "index")
        return False

    def _check(self, number, fields):
        """Raise unless these are as many numbers as in the rows before; name what may be labels of rows."""
        wrong = [field for field in fields if not _is_number(field)]
        remedy = ""
        if wrong:
            if self.first is None and self.names is None and self.header is None:
                remedy += "; if the line holds names of columns, header=True leaves it out"
            if len(wrong) == 1 < len(fields) and wrong[0] == fields[0] != "" and self.index is None:
                remedy += "; if the first column holds labels of rows, index=True leaves it out"
            raise ValueError(f"{self.path}, line {number}: expected numbers, got {wrong[0][:60]!r}"
                             f"{remedy or _instead_of(wrong[0])}")
        if not fields:
            raise ValueError(f"{self.path}, line {number}: expected numbers beside the label of the row, got none")
        self.width = self.width or len(fields)
        if len(fields) != self.width:
            if len(self.flat) == self.width == len(fields) - 1 and None in (self.header, self.index):
                remedy = "; if there are names of columns and labels of rows, say header=True and index=True"
            raise ValueError(f"{self.path}, line {number}: expected {self.width} numbers as in the first row, "
                             f"got {len(fields)}{remedy}")

    def finish(self):
        """Set `numbers`, if no line or column is in doubt."""
        if not self.width:
            raise ValueError(f"{self.path}: expected rows of numbers, found none")
        if self.header is None and self.names is None:
            self._doubt_first_line()
        if self.index is None and self.width > 1:
            self._doubt_first_column()
        self.numbers = np.frombuffer(self.flat).reshape(-1, self.width)

    def _doubt_first_line(self):
        """Ask about a first line of whole numbers that grow, above others or from 0 on."""
        if not all(map(_is_whole, self.first)) or len(self.flat) == self.width:
            return
        found = list(map(int, self.first))
        numbered = found == list(range(self.width))
        self.starts_with_zero = numbered and self.width == 1 and self.whole
        growing = self.width > 1 and all(a < b for a, b in itertools.pairwise(found))
        if (numbered and self.width > 1) or ((numbered or growing) and not self.whole):
            self._ask(f"line {self.line}", _some(self.first), "names of columns, as pandas and Excel write them, "
                      "or a row of data", "header")

    def _doubt_first_column(self):
        """Ask about a first column without a name, and one that counts rows."""
        if self.names is not None and (self.names[0] in ("", '""') or len(self.names) == self.width - 1):
            self._ask("column 1", "which has no name above it,", "labels of rows, as pandas and R write them, or data",
                      "index")
        rows = len(self.flat) // self.width
        if self.numbered_from is not None and rows >= FEWEST_NUMBERED:
            counted = [str(self.numbered_from + i) for i in range(FEWEST_NUMBERED + 1)]
            self._ask("column 1", _some(counted), "labels of rows, as pandas, R and Excel write them, or data", "index")

    def _ask(self, where, what, meaning, *options):
        say = " and ".join(f"{option}=True or {option}=False" for option in options)
        raise ValueError(f"{self.path}, {where}: expected to know what it is: {what} may be {meaning}: say {say}")


def read_delimited(path, file, *, header=None, index=None):
    """Return the table in an open text file, a `DelimitedTable`.

    Raises
    ------
    ValueError
        If it holds no table of numbers, or a line or column that may or may not be one of names.

    """
    table = DelimitedTable(path, header=header, index=index)
    try:
        with io.TextIOWrapper(file, encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip() or _is_comment(line):
                    continue
                if number == 1 and line.strip('" \r\n').startswith("sep="):
                    continue    # by which Excel is told the delimiter
                if '"' in line:
                    line = _without_quoted_delimiters(line)
                if "," in line and ";" in line:
                    raise ValueError(f"{path}, line {number}: expected decimal points, and one of comma and semicolon "
                                     "between numbers, got both")
                table.add(number, _fields(line))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected a text file of numbers, in UTF-8, or a .npy file: {error}") from None
    table.finish()
    return table


def _is_comment(line):
    return line.lstrip().startswith("#") and _fields(line)[0].lower() not in ERRORS


def _without_quoted_delimiters(line):
    """Return the line without blanks, commas and semicolons within quotes; the quotes stay, and mark text."""
    parts = line.split('"')
    parts[1::2] = [part.translate(str.maketrans("", "", " \t,;")) for part in parts[1::2]]
    return '"'.join(parts)


def _fields(line):
    """Return the fields of a line: between semicolons, commas or tabs, of which empty ones are some, else blanks."""
    for delimiter in (";", ",", "\t"):
        if delimiter in line:
            return [field.strip() for field in line.split(delimiter)]
    return line.split()


def _is_number(field):
    """Whether a field is a number as a data file has it: Python's 1_0 is not."""
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field


def _is_whole(field):
    """Whether a field is written as a whole number: 1.0 and 1e3 are not."""
    return field.removeprefix("-").isdecimal() and len(field) < 20


def _instead_of(text):
    """Return what helps where a field is no number."""
    if text.strip('"').lower() in MISSING:
        return "; fill in or drop what is missing"
    return "; encode text as numbers, classes as 0, 1, 2, ..., or drop it"


def _some(fields):
    return ", ".join(field[:20] for field in fields[:4]) + (", ..." if len(fields) > 4 else "")
